// The Prometheus registry, built from metric-table.ts. Its own registry, not prom-client's global one: two services
// in one process (tests) do not share counts. Callers do not touch it; they report events (events.ts).
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import { metricTable, responseBuckets } from './metric-table.ts'
import type { MetricName, MetricOf, MetricSpec } from './metric-table.ts'
import { createRollingShare } from './rolling-share.ts'
import type { RollingShare } from './rolling-share.ts'

type Labels = Record<string, string>

export type Metrics = {
  add(name: MetricOf<'counter'>, labels?: Labels, amount?: number): void
  observe(name: MetricOf<'histogram'>, labels: Labels, seconds: number): void
  /** undefined: not known now; the gauge disappears instead of showing an old or made-up number. */
  set(name: MetricOf<'gauge'>, value: number | undefined, labels?: Labels): void
  /** The rolling shares behind the three rates. */
  shares: { matched: RollingShare; acted: RollingShare; failed: RollingShare }
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
    async page() {
      set('blobwatch_match_rate', shares.matched.value())
      set('blobwatch_action_rate', shares.acted.value())
      set('blobwatch_error_rate', shares.failed.value())
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}

/** prom-client starts a gauge at 0, which would claim "no open gaps" before anybody looked. */
function emptyGauge(gauge: Gauge, spec: MetricSpec): Gauge {
  if (spec.labels.length === 0) gauge.remove()
  return gauge
}
