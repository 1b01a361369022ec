// `npm run bench -- NAME [--quick]`: measures, prints a table for people and one JSON object as the last line.
//
//   npm run bench -- --help         the names
//   npm run bench -- storage        one bench
//   npm run bench -- all --quick    each of them, a line of JSON each
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Bench, ReportLine } from './bench.ts'
import { describeMachine } from './machine.ts'
import { printTable } from './print-table.ts'

/** Loaded when asked for: a bench must not pay for another one's packages. */
const benches: Record<string, () => Promise<{ bench: Bench }>> = {
  e2e: () => import('./e2e.ts'),
  evasion: () => import('./evasion.ts'),
  'lookup-file': () => import('./lookup-file.ts'),
  'import-hma': () => import('./import-hma.ts'),
  'import-list': () => import('./import-list.ts'),
  'index-build': () => import('./index-build.ts'),
  'index-soak': () => import('./index-soak.ts'),
  ingest: () => import('./ingest.ts'),
  ledger: () => import('./ledger.ts'),
  lookup: () => import('./lookup.ts'),
  pdq: () => import('./pdq.ts'),
  pipeline: () => import('./pipeline.ts'),
  ready: () => import('./ready.ts'),
  rest: () => import('./rest.ts'),
  storage: () => import('./storage.ts'),
  verify: () => import('./verify.ts'),
}

process.exitCode = await main(process.argv.slice(2))

async function main(args: string[]): Promise<number> {
  const [name, ...more] = args.filter((arg) => !arg.startsWith('--'))
  const flags = args.filter((arg) => arg.startsWith('--'))
  if (name === undefined || flags.includes('--help')) {
    console.log(await help())
    return 0
  }
  const unknownFlag = flags.find((flag) => flag !== '--quick')
  if (unknownFlag !== undefined || more.length > 0) {
    console.error(`bench: ${unknownFlag ?? more.join(' ')} is not understood\n\n${await help()}`)
    return 2
  }
  if (name !== 'all' && !Object.hasOwn(benches, name)) {
    console.error(`bench: there is no bench ${name}\n\n${await help()}`)
    return 2
  }
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Error('interrupted'))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  if (name === 'all') return await runEach(flags, stop.signal)
  try {
    await measure(name, { quick: flags.includes('--quick'), signal: stop.signal })
    return 0
  } catch (error) {
    console.error(`bench ${name}: ${stop.signal.aborted ? 'interrupted' : withStack(error)}`)
    return stop.signal.aborted ? 130 : 1
  }
}

/** Each in a process of its own, so that none inherits warm code or memory from the one before. */
async function runEach(flags: string[], signal: AbortSignal): Promise<number> {
  let worst = 0
  for (const name of Object.keys(benches)) {
    if (signal.aborted) return 130
    const child = spawn(process.execPath, [fileURLToPath(import.meta.url), name, ...flags], {
      stdio: 'inherit',
    })
    const pass = () => void child.kill('SIGTERM')
    signal.addEventListener('abort', pass, { once: true })
    const [code] = (await once(child, 'exit')) as [number | null]
    signal.removeEventListener('abort', pass)
    worst = Math.max(worst, code ?? 1)
  }
  return signal.aborted ? 130 : worst
}

function withStack(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

async function measure(
  name: string,
  options: { quick: boolean; signal: AbortSignal },
): Promise<void> {
  const machine = describeMachine()
  const { bench } = await benches[name]!()
  const startMs = performance.now()
  const result = await bench.run({ ...options, tell: (text) => console.error(`  ${text}`) })
  const seconds = ((performance.now() - startMs) / 1000).toFixed(0)
  console.log(`\n${name}: ${bench.about}${options.quick ? ' (quick)' : ''}`)
  console.log(printTable(result.table))
  for (const note of result.notes ?? []) console.log(note)
  const { cpu, cores, memoryGb, node, loadBefore } = machine
  console.log(
    `${cpu}, ${cores} cores, ${memoryGb} GB, Node ${node}; load ${loadBefore} before; took ${seconds} s`,
  )
  const line: ReportLine = { bench: name, ...result.figures, machine, quick: options.quick }
  console.log(JSON.stringify(line))
}

async function help(): Promise<string> {
  const lines = await Promise.all(
    Object.entries(benches).map(
      async ([name, load]) => `  ${name.padEnd(10)} ${(await load()).bench.about}`,
    ),
  )
  return [
    'npm run bench -- NAME [--quick]',
    '',
    ...lines,
    `  ${'all'.padEnd(10)} each of them, one after the other`,
    '',
    '--quick: within 40 s each. The last line is one JSON object (with all: one a bench).',
  ].join('\n')
}
