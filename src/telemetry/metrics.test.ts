import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLog } from './log.ts'
import { createTelemetry } from './events.ts'
import type { Telemetry } from './events.ts'
import { metricTable } from './metric-table.ts'
import { createMetrics } from './metrics.ts'
import { createRollingShare, shareWindowMs } from './rolling-share.ts'

describe('the metrics page', () => {
  test('names every metric of the table with its sentence, and none besides', async () => {
    const { page } = start()
    const text = await page()
    const helps = new Map(
      [...text.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name, help]) => [name, help]),
    )
    assert.deepEqual(new Set(helps.keys()), new Set<string | undefined>(Object.keys(metricTable)))
    for (const [name, spec] of Object.entries(metricTable)) {
      assert.equal(helps.get(name), spec.help)
      assert.match(text, new RegExp(`^# TYPE ${name} ${spec.kind}$`, 'm'))
    }
  })

  test('says nothing about what nobody measured', async () => {
    const { page, telemetry } = start()
    assert.doesNotMatch(await page(), /^blobwatch_(open_gaps|match_rate|actions_dead) /m)
    telemetry.measured({ blobwatch_open_gaps: 0 })
    assert.match(await page(), /^blobwatch_open_gaps 0$/m)
    telemetry.measured({ blobwatch_open_gaps: undefined })
    assert.doesNotMatch(await page(), /^blobwatch_open_gaps /m)
  })

  test('counts the five figures from the events', async () => {
    const { page, telemetry } = start()
    telemetry.scanSettled({ verdict: { kind: 'clear' }, matchedTypes: [], ms: 20 })
    telemetry.scanSettled({ verdict: { kind: 'clear' }, matchedTypes: [], ms: 20 })
    telemetry.scanSettled({
      verdict: { kind: 'unscannable', reason: 'corrupt' },
      matchedTypes: [],
      ms: 5,
    })
    telemetry.scanSettled({ verdict: { kind: 'matched' }, matchedTypes: ['sha256', 'pdq'], ms: 40 })
    telemetry.matchDecided({ outcome: 'act', actions: 2, caseNumber: 1 })
    telemetry.matchDecided({ outcome: 'hold', actions: 0 })
    telemetry.requestEnded({ kind: 'labels', ms: 3, failed: false })
    telemetry.requestEnded({ kind: 'labels', ms: 3, failed: true })
    telemetry.actionEnded({ kind: 'takedown-blob', outcome: 'done', actionId: 5, ms: 90 })
    const text = await page()
    for (const line of [
      'blobwatch_requests_total{kind="scan"} 4',
      'blobwatch_requests_total{kind="labels"} 2',
      'blobwatch_match_rate 0.25',
      'blobwatch_action_rate 0.5',
      'blobwatch_response_time_seconds_count{kind="scan"} 4',
      'blobwatch_response_time_seconds_bucket{le="0.02",kind="scan"} 3',
      `blobwatch_error_rate ${1 / 7}`,
      'blobwatch_scans_total{verdict="unscannable",reason="corrupt"} 1',
      'blobwatch_matches_total{signal_type="pdq"} 1',
      'blobwatch_decisions_total{outcome="hold"} 1',
      'blobwatch_actions_total{kind="takedown-blob",outcome="done"} 1',
    ]) {
      assert.ok(text.split('\n').includes(line), `${line}\n${text}`)
    }
  })

  test('counts what plug-ins did not answer by their names and reasons, and says it in the log', async () => {
    const { page, telemetry, lines } = start()
    telemetry.pluginFailed({ name: 'average_hash', reason: 'too-large' })
    const line = 'blobwatch_plugin_failures_total{plugin="average_hash",reason="too-large"} 1'
    assert.ok((await page()).split('\n').includes(line))
    const [told] = lines()
    assert.deepEqual([told?.['outcome'], told?.['component']], ['plugin-failed', 'average_hash'])
  })

  test('shows the index by signal type and layout, and counts its rebuilds once', async () => {
    const { page, telemetry } = start()
    const signals = { sha256: 0, md5: 3, sha1: 0, pdq: 7, clip: 0 }
    const others = { average_hash: 4 }
    const levels = { bytes: 99, pending: 2, rebuilding: false }
    const status = { layout: 'file' as const, signals, others, ...levels }
    telemetry.indexMeasured({ status: { ...status, rebuilds: 2 }, lag: 1 })
    telemetry.indexMeasured({ status: { ...status, rebuilds: 3 }, lag: 0 })
    telemetry.indexMeasured({ status: { ...status, rebuilds: 0 }, lag: 0 })
    const text = await page()
    for (const line of [
      'blobwatch_index_signals{signal_type="pdq"} 7',
      'blobwatch_index_signals{signal_type="average_hash"} 4',
      'blobwatch_index_signals{signal_type="md5"} 3',
      'blobwatch_index_pending 2',
      'blobwatch_index_rebuilds_total 3',
      'blobwatch_index_bytes 99',
      'blobwatch_index_lag_generations 0',
      'blobwatch_index_layout{layout="file"} 1',
    ]) {
      assert.ok(text.split('\n').includes(line), `${line}\n${text}`)
    }
  })

  test('two services in one process do not share counts', async () => {
    const [one, two] = [start(), start()]
    one.telemetry.decoderRestarted({ reason: 'timeout' })
    assert.match(await one.page(), /decoder_restarts_total\{reason="timeout"\} 1/)
    assert.doesNotMatch(await two.page(), /decoder_restarts_total\{/)
  })
})

test('an event is one line: quiet for the usual, loud for loss', () => {
  const { telemetry, lines } = start()
  telemetry.scanSettled({ verdict: { kind: 'clear' }, matchedTypes: [], ms: 1 })
  telemetry.batchTaken({
    source: 'firehose',
    sightings: 3,
    undecodable: 0,
    gaps: 0,
    seq: 1,
    lagMs: 5,
  })
  telemetry.batchTaken({ source: 'firehose', sightings: 0, undecodable: 1, gaps: 1 })
  telemetry.failed({ kind: 'settle', error: new Error('did:plc:abc is gone') })
  const seen = lines().map(({ level, outcome }) => [level, outcome])
  assert.deepEqual(seen, [
    ['debug', 'scan-settled'],
    ['debug', 'batch-taken'],
    ['warn', 'batch-taken'],
    ['error', 'failed'],
  ])
  assert.equal(
    lines().some((line) => 'dropped' in line),
    false,
  )
  assert.equal(lines().at(-1)?.['error'], 'Error: [did] is gone')
})

test('a rolling share forgets what is older than its window', () => {
  let nowMs = 1_700_000_000_000
  const share = createRollingShare(() => nowMs)
  assert.equal(share.value(), undefined)
  share.count(true)
  nowMs += shareWindowMs / 2
  for (let n = 0; n < 3; n += 1) share.count(false)
  assert.equal(share.value(), 0.25)
  nowMs += shareWindowMs / 2
  assert.equal(share.value(), 0)
  nowMs += shareWindowMs
  assert.equal(share.value(), undefined)
  share.count(true)
  assert.equal(share.value(), 1)
})

function start(): {
  telemetry: Telemetry
  page: () => Promise<string>
  lines: () => Record<string, unknown>[]
} {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line) }
  const metrics = createMetrics({ clock: Date.now })
  const telemetry = createTelemetry({ log: createLog({ level: 'debug', destination }), metrics })
  return {
    telemetry,
    page: async () => (await metrics.page()).body,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}
