import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCheckpoint } from '../ledger/note/checkpoint.ts'
import { bundleOf, createRandom, makeLog, memoryFiles } from './log-in-test.ts'
import type { MadeLog } from './log-in-test.ts'
import { forge, tamperings } from './tampering-in-test.ts'
import type { Tampering } from './tampering-in-test.ts'
import { makeTrust } from './trust.ts'
import { verifyBundle } from './verify-bundle.ts'

const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const positions = isLong ? 500 : 4

/** Three sizes: within a tile, more than one, and a tile of level 1 that says something. */
const logs = [40, 300, 530].map((entries, i) =>
  makeLog({
    seed: 100 + i,
    entries,
    checkpointEvery: 12,
    erasures: 3,
    recoveries: 0,
    changesKey: false,
    witnesses: 2,
    opened: 'all',
  }),
)

async function verdictOf(tampering: Tampering, log: MadeLog, position: number) {
  const random = createRandom(position * 7919 + 13)
  const parts = structuredClone({
    ...{ log: log.log, entries: log.entries, checkpoints: log.checkpoints, anchors: log.anchors },
    ...{ values: log.values, note: log.note, opened: log.opened },
  })
  if (tampering.parts?.(parts, random, log) === false) return undefined
  if (tampering.forges === true) forge(parts)
  const files = await bundleOf(parts)
  // A bundle's own word for its size follows the head; these say what the head said.
  if (tampering.files?.(files, random, log) === false) return undefined
  const trust = makeTrust({ policy: log.policy, keys: [] })
  assert.ok(typeof trust !== 'string')
  const pins = (tampering.pins?.(log, random) ?? []).map(({ note }) => {
    const opened = openCheckpoint(note, trust.keys)
    assert.ok(typeof opened !== 'string')
    return { name: 'kept', checkpoint: opened.checkpoint }
  })
  return await verifyBundle({
    files: memoryFiles(files),
    ...{ trust, pins, nowMs: log.nowMs, maxAgeMs: 3_600_000, seed: position },
  })
}

for (const tampering of tamperings) {
  test(`${tampering.name}: it is found`, async () => {
    let tried = 0
    for (let position = 0; position < positions; position += 1) {
      const log = logs[position % logs.length] as MadeLog
      const report = await verdictOf(tampering, log, position)
      if (report === undefined) continue
      tried += 1
      if ('usage' in report) assert.fail(report.usage)
      const where = `position ${position}`
      if (tampering.expect === 'tampered') assert.equal(report.verdict, 'tampered', where)
      else assert.notEqual(report.verdict, 'true', where)
      assert.ok(report.findings.length > 0, where)
    }
    assert.ok(tried > positions / 4, `${tried} of ${positions} places`)
  })
}

test('there are at least 20 ways of tampering, and the logs that they start from are true', async () => {
  assert.ok(tamperings.length >= 20)
  for (const log of logs) {
    const report = await verdictOf({ name: 'none', expect: 'found' }, log, 0)
    assert.ok(report !== undefined && !('usage' in report))
    assert.deepEqual(report.findings, [])
    assert.ok(report.stamps.length > 0 && report.records > 0 && report.opened.erased > 0)
  }
})
