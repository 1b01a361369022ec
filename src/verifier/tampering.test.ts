import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openCheckpoint } from '../ledger/note/checkpoint.ts'
import { bundleOf, createRandom, makeLog, memoryFiles } from './log-in-test.ts'
import type { MadeLog } from './log-in-test.ts'
import { entryTamperings } from './tampering-entries-in-test.ts'
import { fileTamperings } from './tampering-files-in-test.ts'
import { forge } from './tampering-tools-in-test.ts'
import type { Tampering } from './tampering-tools-in-test.ts'
import { makeTrust } from './trust.ts'
import { verifyBundle } from './verify-bundle.ts'

const tamperings = [...entryTamperings, ...fileTamperings]
const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const positions = isLong ? 500 : 3

/** Three sizes: within a tile, more than one, and a tile of level 1 that says something. */
const logs = [40, 300, 530].map((entries, i) =>
  makeLog({
    seed: 100 + i,
    entries,
    checkpointEvery: 8 + Math.floor(entries / 20),
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
    for (let position = 0; tried < positions; position += 1) {
      assert.ok(position < 10 * positions, `only ${tried} places were found`)
      const report = await verdictOf(tampering, logAt(position), position)
      if (report === undefined) continue
      tried += 1
      if ('usage' in report) assert.fail(report.usage)
      const where = `position ${position}`
      if (tampering.expect === 'tampered') assert.equal(report.verdict, 'tampered', where)
      else assert.notEqual(report.verdict, 'true', where)
      assert.ok(report.findings.length > 0, where)
    }
  })
}

/** Each of them at first, and then mostly the small one. */
function logAt(position: number): MadeLog {
  const which = position < logs.length ? position : ([0, 0, 0, 1, 0, 0, 2][position % 7] ?? 0)
  return logs[which] as MadeLog
}

test('there are at least 20 ways of tampering, and the logs that they start from are true', async () => {
  assert.ok(tamperings.length >= 20)
  const seen = { stamps: 0, records: 0, erased: 0 }
  for (const log of logs) {
    const report = await verdictOf({ name: 'none', expect: 'found' }, log, 0)
    assert.ok(report !== undefined && !('usage' in report))
    assert.deepEqual(report.findings, [])
    seen.stamps += report.stamps.length
    seen.records += report.records
    seen.erased += report.opened.erased
  }
  assert.ok(seen.stamps > 0 && seen.records > 0 && seen.erased > 0, JSON.stringify(seen))
})
