import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bundleOf, createRandom, makeLog, memoryFiles } from './log-in-test.ts'
import type { LogParts, LogShape } from './log-in-test.ts'
import { edit, forge } from './tampering-tools-in-test.ts'
import { makeTrust } from './trust.ts'
import { verifyBundle } from './verify-bundle.ts'
import type { Pin } from './verify-bundle.ts'

type Recovery = { previousLog: string; previousSize: number; previousRoot: string; size: number }

const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const logs = isLong ? 1000 : 40

function shapeOf(seed: number): LogShape {
  const random = createRandom(seed)
  return {
    seed,
    entries: 1 + random(random(4) === 0 ? 900 : 60),
    checkpointEvery: 2 + random(40),
    erasures: random(3),
    recoveries: random(3) === 0 ? 1 + random(2) : 0,
    changesKey: random(3) === 0,
    witnesses: random(4),
    opened: (['none', 'some', 'all'] as const)[random(3)] as LogShape['opened'],
  }
}

test(`${logs} honest logs, with erasures, losses that were admitted and changed keys: no false alarm`, async () => {
  const seen = new Set<string>()
  for (let seed = 0; seed < logs; seed += 1) {
    const log = makeLog(shapeOf(seed))
    const trust = makeTrust({ policy: log.policy, keys: [] })
    assert.ok(typeof trust !== 'string')
    const report = await verifyBundle({
      files: memoryFiles(await bundleOf(log)),
      trust,
      nowMs: log.nowMs,
      maxAgeMs: 3_600_000,
      pins: [],
      seed,
    })
    assert.ok(!('usage' in report))
    seen.add(report.verdict)
    const unexpected = report.findings.filter(
      (finding) => !finding.problem.startsWith('the log admits'),
    )
    assert.deepEqual(unexpected, [], `seed ${seed}`)
    assert.equal(report.verdict, report.losses.length > 0 ? 'incomplete' : 'true')
  }
  assert.deepEqual([...seen].toSorted(), ['incomplete', 'true'])
})

describe('a log that lost entries and admits it', () => {
  const log = makeLog({ ...shapeOf(1), entries: 60, recoveries: 1, witnesses: 1, opened: 'none' })
  const [recovery] = log.entries.flatMap((bytes, seq) => {
    const entry = JSON.parse(Buffer.from(bytes).toString()) as { type: string; pub: Recovery }
    return entry.type === 'log.recovered' ? [{ seq, ...entry.pub }] : []
  })
  assert.ok(recovery !== undefined)
  const trust = makeTrust({ policy: log.policy, keys: [] })
  assert.ok(typeof trust !== 'string')
  const verify = async (parts: LogParts, pins: Pin[] = []) => {
    const files = memoryFiles(await bundleOf(parts))
    const report = await verifyBundle({ files, trust, pins, nowMs: log.nowMs, seed: 1 })
    assert.ok(!('usage' in report))
    return report
  }
  const headOf = (size: number, root: Uint8Array) => ({
    name: 'kept',
    checkpoint: { origin: recovery.previousLog, size, root, extensions: [] },
  })
  const lostRoot = Uint8Array.from(Buffer.from(recovery.previousRoot, 'hex'))

  test('is incomplete and says what is lost, however much of it somebody kept', async () => {
    const { size, previousSize, previousLog } = recovery
    const pins = [headOf(previousSize, lostRoot), headOf(size + 1, new Uint8Array(32))]
    const report = await verify(log, pins)
    assert.equal(report.verdict, 'incomplete')
    assert.deepEqual(report.losses, [
      { log: previousLog, from: size, to: previousSize - 1, at: recovery.seq },
    ])
    assert.ok(report.lostCheckpoints >= 2)
  })

  test('is tampered with when somebody kept more than it admits, or another root', async () => {
    const more = await verify(log, [headOf(recovery.previousSize + 1, lostRoot)])
    assert.equal(more.verdict, 'tampered')
    assert.match(more.findings[0]?.problem ?? '', /admits that it lost entries up to/)
    const other = await verify(log, [headOf(recovery.previousSize, new Uint8Array(32))])
    assert.equal(other.verdict, 'tampered')
    const kept = await verify(log, [headOf(recovery.size, new Uint8Array(32))])
    assert.equal(kept.verdict, 'tampered', 'what is kept is compared as always')
  })

  test('is tampered with when the entry that admits it cannot be, whoever signed', async () => {
    const changes: Partial<Recovery>[] = [
      { size: recovery.size - 1 },
      { previousLog: 'ledger.example/another' },
      { previousRoot: 'x' },
      { previousSize: -1 },
    ]
    for (const change of changes) {
      const parts = structuredClone({ ...log, logKeys: [], witnessKeys: [] })
      edit(parts, recovery.seq, ({ pub }) => Object.assign(pub, change))
      forge(parts, log.logKeys.at(-1))
      const report = await verify(parts)
      assert.equal(report.verdict, 'tampered')
      assert.equal(report.findings[0]?.seq, recovery.seq, JSON.stringify(change))
    }
  })

  test('a lost checkpoint that was well witnessed does not stand for the newest one', async () => {
    const parts = structuredClone({ ...log, logKeys: [], witnessKeys: [] })
    forge(parts, log.logKeys.at(-1))
    parts.checkpoints = log.checkpoints.filter(({ note }) =>
      note.startsWith(`${recovery.previousLog}\n`),
    )
    const report = await verify(parts)
    assert.ok(
      report.findings.some(({ problem }) => problem.startsWith('it does not meet the quorum')),
    )
  })
})

test('a missing file makes an honest bundle incomplete, not tampered with, whichever it is', async () => {
  const log = makeLog({ ...shapeOf(3), entries: 600, recoveries: 0, erasures: 5, opened: 'all' })
  const trust = makeTrust({ policy: log.policy, keys: [] })
  assert.ok(typeof trust !== 'string')
  const files = await bundleOf(log)
  for (const path of files.keys()) {
    if (path === 'README.txt') continue
    const rest = new Map([...files].filter(([name]) => name !== path))
    const report = await verifyBundle({
      ...{ files: memoryFiles(rest), trust, nowMs: log.nowMs, pins: [], seed: 1 },
    })
    assert.ok(!('usage' in report))
    assert.equal(report.verdict, 'incomplete', `${path}: ${JSON.stringify(report.findings[0])}`)
  }
})
