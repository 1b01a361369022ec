import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bundleOf, createRandom, makeLog, memoryFiles } from './log-in-test.ts'
import type { LogShape } from './log-in-test.ts'
import { makeTrust } from './trust.ts'
import { verifyBundle } from './verify-bundle.ts'

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
