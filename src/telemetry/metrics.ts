// The Prometheus registry, built from metric-table.ts. Its own registry, not prom-client's global one: two services
// in one process (tests) do not share counts. Callers do not touch it; they report events (events.ts).
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { metricTable, responseBuckets } from './metric-table.ts'
import type { MetricName, MetricOf, MetricSpec } from './metric-table.ts'
import { createRollingShare } from './rolling-share.ts'
import type { RollingShare } from './rolling-share.ts'

type Labels = Record<string, string>

export type Times = { count: number; seconds: number; p95Seconds: number | undefined }

export type Metrics = {
  add(name: MetricOf<'counter'>, labels?: Labels, amount?: number): void
  observe(name: MetricOf<'histogram'>, labels: Labels, seconds: number): void
  /** undefined: not known now; the gauge disappears instead of showing an old or made-up number. */
  set(name: MetricOf<'gauge'>, value: number | undefined, labels?: Labels): void
  /** The rolling shares behind the three rates. */
  shares: { matched: RollingShare; acted: RollingShare; failed: RollingShare }
  /** Of a counter, by the members of one label: those that were counted. */
  counts(
    name: MetricOf<'counter'>,
    label: string,
    members: readonly string[],
  ): Promise<Record<string, number>>
  /** Of a histogram. `p95Seconds`: the upper edge of the bucket that it lies in; undefined: beyond the last one. */
  times(
    name: MetricOf<'histogram'>,
    label: string,
    members: readonly string[],
  ): Promise<Record<string, Times>>
  /** The page for Prometheus. */
  page(): Promise<{ contentType: string; body: string }>
}

export function createMetrics(options: {
  clock: () => number
  /** Adds prom-client's figures about the process (memory, event loop, garbage collection). */
  processMetrics?: boolean
}): Metrics {
  const registry = new Registry()
  if (options.processMetrics === true) collectDefaultMetrics({ register: registry })
  const counters = new Map<MetricName, Counter>()
  const gauges = new Map<MetricName, Gauge>()
  const histograms = new Map<MetricName, Histogram>()
  for (const [name, spec] of Object.entries(metricTable) as [MetricName, MetricSpec][]) {
    const base = { name, help: spec.help, labelNames: [...spec.labels], registers: [registry] }
    if (spec.kind === 'counter') counters.set(name, new Counter(base))
    else if (spec.kind === 'gauge') gauges.set(name, emptyGauge(new Gauge(base), spec))
    else histograms.set(name, new Histogram({ ...base, buckets: responseBuckets }))
  }
  const share = (): RollingShare => createRollingShare(options.clock)
  const shares = { matched: share(), acted: share(), failed: share() }
  const set = (name: MetricOf<'gauge'>, value: number | undefined, labels: Labels = {}): void => {
    const gauge = gauges.get(name)
    if (value === undefined) gauge?.remove(labels)
    else gauge?.set(labels, value)
  }
  return {
    add: (name, labels = {}, amount = 1) => counters.get(name)?.inc(labels, amount),
    observe: (name, labels, seconds) => histograms.get(name)?.observe(labels, seconds),
    set,
    shares,
    async counts(name, label, members) {
      const values = (await counters.get(name)?.get())?.values ?? []
      return byMember(members, (member) => {
        const own = values.filter(({ labels }) => labels[label] === member)
        return own.length === 0 ? undefined : own.reduce((sum, { value }) => sum + value, 0)
      })
    },
    async times(name, label, members) {
      const values = (await histograms.get(name)?.get())?.values ?? []
      return byMember(members, (member) =>
        timesOf(values.filter(({ labels }) => labels[label] === member)),
      )
    },
    async page() {
      set('blobwatch_match_rate', shares.matched.value())
      set('blobwatch_action_rate', shares.acted.value())
      set('blobwatch_error_rate', shares.failed.value())
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}

function byMember<Value>(
  members: readonly string[],
  valueOf: (member: string) => Value | undefined,
): Record<string, Value> {
  const found: Record<string, Value> = {}
  for (const member of members) {
    const value = valueOf(member)
    if (value !== undefined) found[member] = value
  }
  return found
}

type Observed = { metricName?: string; value: number; labels: Record<string, unknown> }

/** As prom-client tells it: `_bucket` rows that count all below their edge, `_sum` and `_count`. */
function timesOf(values: readonly Observed[]): Times | undefined {
  const valueOf = (ending: string) =>
    values.find(({ metricName }) => metricName?.endsWith(ending) === true)?.value
  const count = valueOf('_count')
  if (count === undefined) return undefined
  const bucket = values.find(
    ({ metricName, value, labels }) =>
      metricName?.endsWith('_bucket') === true &&
      typeof labels['le'] === 'number' &&
      value >= count * 0.95,
  )
  return {
    count,
    seconds: valueOf('_sum') ?? 0,
    p95Seconds: bucket && Number(bucket.labels['le']),
  }
}

/** prom-client starts a gauge at 0, which would claim "no open gaps" before anybody looked. */
function emptyGauge(gauge: Gauge, spec: MetricSpec): Gauge {
  if (spec.labels.length === 0) gauge.remove()
  return gauge
}
