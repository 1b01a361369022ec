// `npm run bench -- NAME [--quick]`: measures, prints a table for people and one JSON object as the last line.
//
//   npm run bench -- --help         the names
//   npm run bench -- storage        one bench
//   npm run bench -- all --quick    each of them, a line of JSON each
import { errorMessage } from '../src/domain/errors.ts'
import type { Bench, ReportLine } from './bench.ts'
import { describeMachine } from './machine.ts'
import { printTable } from './print-table.ts'

/** Loaded when asked for: a bench must not pay for another one's packages. */
const benches: Record<string, () => Promise<{ bench: Bench }>> = {
  e2e: () => import('./e2e.ts'),
  ingest: () => import('./ingest.ts'),
  storage: () => import('./storage.ts'),
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
  const wanted = name === 'all' ? Object.keys(benches) : [name]
  let code = 0
  for (const one of wanted) {
    if (stop.signal.aborted) return 130
    try {
      await measure(one, { quick: flags.includes('--quick'), signal: stop.signal })
    } catch (error) {
      console.error(`bench ${one}: ${errorMessage(error)}`)
      if (process.env['BENCH_STACK'] !== undefined) console.error(error)
      code = stop.signal.aborted ? 130 : 1
    }
  }
  return code
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
