// How fast facts become ledger entries: 200 callers, each writes an intake row and waits until it is an entry, against
// the real sequencer and a Postgres that waits for the disk; then the whole ledger is read and verified.
import type { Database } from '../src/db/client.ts'
import { createDataKey, generateDataKey } from '../src/ledger/seal.ts'
import { createRecorder } from '../src/ledger/recorder.ts'
import { createSequencer } from '../src/ledger/sequencer.ts'
import type { StoredEntry } from '../src/ledger/read-ledger.ts'
import { createVerifier } from '../src/verifier/verify-stored.ts'
import type { LedgerReport } from '../src/verifier/verify-stored.ts'
import { createBell } from '../src/queue/bell.ts'
import { leadLedger } from '../src/steps/append.ts'
import type { Fact } from '../src/steps/note-facts.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { percentile } from './percentile.ts'
import { scratchDatabase } from './scratch.ts'

const callers = 200
const seconds = { full: 60, quick: 12 } as const
const warmUpSeconds = 2
const verifyPage = 5_000
const limits = {
  takedownsPerDay: 0,
  labelsPerDay: 0,
  actionsPerContent: 0,
  floodBlobs: 1,
  floodAccounts: 1,
  floodFactor: 1,
} as const
/** As the service has it for its own work: eight scan slots and eight more. */
const connectionsMax = 16

export const bench: Bench = {
  about: 'ledger entries appended a second, and verified a second',
  run: measureLedger,
}

async function measureLedger({ quick, signal }: BenchOptions): Promise<BenchResult> {
  await using scratch = await scratchDatabase({ waitsForDisk: true, connectionsMax })
  const appended = await appendFor(scratch.app, {
    seconds: seconds[quick ? 'quick' : 'full'],
    signal,
  })
  const verified = await verifyAll(scratch.app)
  if (verified.report.faults.length > 0)
    throw new Error(`the ledger does not hold: ${JSON.stringify(verified.report.faults[0])}`)
  const figures = {
    appendsPerSecond: round(appended.ms.length / appended.seconds),
    appendP50Ms: round(percentile(appended.ms, 0.5), 1),
    appendP99Ms: round(percentile(appended.ms, 0.99), 1),
    entriesPerBatch: round(appended.ms.length / appended.batches, 1),
    verifiedPerSecond: round(verified.report.entries / verified.seconds),
    callers,
    entries: verified.report.entries,
  }
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: ['An append lasts from the call of the step until the caller knows its entry is there.'],
  }
}

type Appended = { ms: number[]; seconds: number; batches: number }

async function appendFor(
  db: Database,
  options: { seconds: number; signal: AbortSignal },
): Promise<Appended> {
  const intake = createBell()
  const stop = new AbortController()
  const appended: Appended = { ms: [], seconds: options.seconds, batches: 0 }
  const head = await leadLedger(db, 'bench')
  const countFromMs = performance.now() + warmUpSeconds * 1000
  const endMs = countFromMs + options.seconds * 1000
  const isCounted = () => performance.now() >= countFromMs && performance.now() < endMs

  await using recorder = createRecorder({ db, clock: Date.now, intake })
  const sequencer = createSequencer({
    db,
    clock: Date.now,
    dataKey: createDataKey(generateDataKey()),
    limits,
    wait: (ms, signal) => intake.wait(ms, signal),
    onAppended: ({ entries, intake: rows }) => {
      if (entries > 0 && isCounted()) appended.batches += 1
      recorder.entered(rows)
    },
  })
  const running = sequencer.run(head, stop.signal)
  const call = async (caller: number) => {
    for (let n = 0; performance.now() < endMs && !options.signal.aborted; n++) {
      const startMs = performance.now()
      await recorder.record(factOf(`bench:${caller}:${n}`))
      if (isCounted()) appended.ms.push(performance.now() - startMs)
    }
  }
  try {
    const calls = Promise.all(Array.from({ length: callers }, (_, caller) => call(caller)))
    await Promise.race([calls, running])
    options.signal.throwIfAborted()
  } finally {
    stop.abort()
    await Promise.allSettled([running])
  }
  return appended
}

/** A fact with as much in it as a decision has: three personal values become commitments. */
function factOf(idem: string): Fact {
  return {
    type: 'decision',
    idem,
    atMs: Date.now(),
    pub: { decision: 1, bank: 'b1', type: 'sha256', distance: 0, policy: 1, mode: 'act' },
    private: {
      account: `did:plc:${'b'.repeat(24)}`,
      blob: '0123456789abcdef'.repeat(4),
      record: 'app.bsky.feed.post/3mabcdefghijk',
    },
  }
}

async function verifyAll(db: Database): Promise<{ report: LedgerReport; seconds: number }> {
  const verifier = createVerifier()
  const startMs = performance.now()
  for (let seq = 0; ; seq += verifyPage) {
    const page = await db<StoredEntry[]>`
      select seq, bytes, hash from ledger_entry
      where seq >= ${seq} and seq < ${seq + verifyPage} order by seq`
    if (page.length === 0) break
    verifier.add(page)
  }
  const [head] = await db<{ size: number; hash: string }[]>`
    select size, encode(hash, 'hex') as hash from ledger_head`
  return { report: verifier.end(head), seconds: (performance.now() - startMs) / 1000 }
}
