// How fast a bundle is verified: a million entries on a disk, verified by the built verifier in a process of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createFolderTarget } from '../src/ledger/bundle/folder-target.ts'
import { writeBundle } from '../src/ledger/bundle/write-bundle.ts'
import { commitment, makeEntry, noHash } from '../src/ledger/entry.ts'
import { formatCheckpoint } from '../src/ledger/note/checkpoint.ts'
import { formatVerifierKey } from '../src/ledger/note/key.ts'
import { formatNote } from '../src/ledger/note/note.ts'
import { makeSignerKey } from '../src/ledger/note/signer-key.ts'
import { createFrontier } from '../src/ledger/tree/frontier.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'

const entries = { full: 1_000_000, quick: 200_000 } as const
const pageEntries = 5_000
/** As a log of 5,000 entries a second has at the least: one a minute. */
const checkpointEvery = 300_000
const log = 'ledger.example/bench'
const key = makeSignerKey(log, 'log', new Uint8Array(32).fill(7))
const salt = new Uint8Array(32).fill(9)

export const bench: Bench = {
  about: 'ledger entries verified a second, from a bundle',
  run: measureVerify,
}

async function measureVerify({ quick, signal }: BenchOptions): Promise<BenchResult> {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-bench-'))
  try {
    const folder = join(dir, 'bundle')
    const size = entries[quick ? 'quick' : 'full']
    await write(folder, size, signal)
    const { seconds, rssMb } = await verify(dir, folder, signal)
    const figures = { verifiedPerSecond: round(size / seconds), rssMb: round(rssMb), entries: size }
    return {
      figures,
      table: { head: ['figure', 'value'], rows: Object.entries(figures) },
      notes: ['verify.mjs in a process of its own, with its start; rssMb is the most that it had.'],
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

/** The folder and the head are known before the entries are: they are made twice. */
async function write(folder: string, size: number, signal: AbortSignal): Promise<void> {
  const frontier = createFrontier()
  const checkpoints: { size: number; note: string }[] = []
  const sign = () => {
    const text = formatCheckpoint({ origin: log, size: frontier.size(), root: frontier.root() })
    checkpoints.push({
      size: frontier.size(),
      note: formatNote({ text, signatures: [key.sign(text, 0)] }),
    })
  }
  for (const page of pages(size, signal))
    for (const { hash } of page) {
      frontier.push(Uint8Array.from(Buffer.from(hash, 'hex')))
      if (frontier.size() % checkpointEvery === 0) sign()
    }
  sign()
  await writeBundle(await createFolderTarget(folder), {
    ...{ log, size, madeAt: new Date(0).toISOString(), opened: 'none', product: 'bench' },
    note: checkpoints.at(-1)?.note ?? '',
    entries: bytesOf(size, signal),
    checkpoints: onePage(checkpoints),
    anchors: onePage([]),
  })
}

async function* bytesOf(size: number, signal: AbortSignal): AsyncGenerator<Uint8Array[]> {
  await Promise.resolve()
  for (const page of pages(size, signal)) yield page.map(({ bytes }) => bytes)
}

async function* onePage<T>(page: T[]): AsyncGenerator<T[]> {
  await Promise.resolve()
  yield page
}

/** A decision, its intent and its result in turn, with as much in them as real ones have. */
function* pages(
  size: number,
  signal: AbortSignal,
): Generator<{ bytes: Uint8Array; hash: string }[]> {
  let prev = noHash
  const com = Object.fromEntries(
    ['account', 'blob', 'record'].map((field) => [field, commitment(field, salt, field)]),
  )
  for (let from = 0; from < size; from += pageEntries) {
    signal.throwIfAborted()
    yield Array.from({ length: Math.min(pageEntries, size - from) }, (_, i) => {
      const seq = from + i
      const action = Math.floor(seq / 3)
      const kind = (['decision', 'action.intent', 'action.result'] as const)[seq % 3] as string
      const pub = {
        decision: {
          decision: action,
          bank: 'b1',
          type: 'sha256',
          distance: 0,
          policy: 1,
          mode: 'act',
        },
        'action.intent': { action, kind: 'takedown', applied: true, revision: 1, decision: action },
        'action.result': { action, outcome: 'done', attempts: 1 },
      }[kind]
      const entry = makeEntry({
        ...{ log, seq, prev, com: kind === 'action.result' ? {} : com, type: kind },
        atMs: 1_700_000_000_000 + seq,
        idem: `bench:${seq}`,
        actor: { kind: 'system' },
        pub: pub ?? {},
      })
      prev = entry.hash
      return entry
    })
  }
}

async function verify(dir: string, folder: string, signal: AbortSignal) {
  const program = fileURLToPath(new URL('../verifier/verify.mjs', import.meta.url))
  const measure = join(dir, 'measure.mjs')
  await writeFile(
    measure,
    "process.on('exit', () => process.stderr.write(`\\nrss ${process.resourceUsage().maxRSS}\\n`))\n",
  )
  const startMs = performance.now()
  const child = spawn(
    process.execPath,
    ['--import', measure, program, folder, '--key', formatVerifierKey(key.verifier)],
    { stdio: ['ignore', 'pipe', 'pipe'], signal },
  )
  let [out, err] = ['', '']
  child.stdout.on('data', (text: Buffer) => void (out += text.toString()))
  child.stderr.on('data', (text: Buffer) => void (err += text.toString()))
  const [code] = (await once(child, 'close')) as [number]
  const seconds = (performance.now() - startMs) / 1000
  if (code !== 0) throw new Error(`the bundle does not verify: ${out}`)
  return { seconds, rssMb: Number(/rss (\d+)/.exec(err)?.[1]) / 1024 }
}
