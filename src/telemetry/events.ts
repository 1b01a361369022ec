// What happens in the business, one function an event: each counts and writes its line in one place, and is called
// after the fact (STYLE 16). A clear scan is a debug line; there are millions of them.
import type { ActionKind } from '../domain/bank.ts'
import type { AnySignalType, SourceKind, Verdict } from '../domain/blob.ts'
import type { SetAside } from '../domain/gate.ts'
import type { SendOutcome } from '../domain/ports.ts'
import type { IndexStatus } from '../domain/signal-batch.ts'
import type { Log } from './log.ts'
import { logOutcome } from './log.ts'
import type { MetricOf } from './metric-table.ts'
import type { Metrics } from './metrics.ts'

export const requestKinds = ['hash', 'match', 'scan', 'webhook', 'labels', 'api', 'action'] as const
export type RequestKind = (typeof requestKinds)[number]
export type WorkKind =
  RequestKind | 'firehose' | 'settle' | 'ledger' | 'label-stream' | 'http' | 'evidence' | 'exchange'
export type DecisionOutcome = 'act' | 'hold' | 'observe' | 'nothing'

export type Telemetry = {
  log: Log
  /** A request was answered, or a scan came to an end. `failed`: by our fault, not the caller's. */
  requestEnded(event: { kind: RequestKind; ms: number; failed: boolean }): void
  /** A scan's result is durable. Counts the request as well. */
  scanSettled(event: {
    verdict: Verdict
    matchedTypes: AnySignalType[]
    /** Matches that a bank kept from counting. */
    setAside?: SetAside['by'][]
    /** A picture that says too little for PDQ: compared by its digests alone. */
    lowQuality?: boolean
    ms: number
  }): void
  /** A matched blob's decision is durable. */
  matchDecided(event: { outcome: DecisionOutcome; actions: number; caseNumber?: number }): void
  /** A content matched more than it may and is held; the case tells a person. */
  contentHeld(event: { caseNumber?: number }): void
  /** An attempt at an action ended and its result is durable. */
  actionEnded(event: {
    kind: ActionKind
    outcome: SendOutcome['kind']
    reason?: string
    actionId: number
    caseNumber?: number
    ms: number
  }): void
  /** A batch is durable. */
  batchTaken(event: {
    source: SourceKind
    sightings: number
    undecodable: number
    gaps: number
    seq?: number
    lagMs?: number
  }): void
  /** Evidence was recorded, or was not to be had in time and what waited for it went ahead. */
  evidenceSettled(event: { kept: number; missed: string[] }): void
  /** Copies of evidence are gone from the store, and said to be. */
  evidenceDestroyed(event: { basis: string }): void
  /** A page of an exchange is in its bank. `left`: what stayed out, by reason. */
  exchangePageTaken(event: {
    added: number
    removed: number
    left: Readonly<Record<string, number>>
  }): void
  /** A fetch is over, and its outcome durable. `kind`: up-to-date, more (others first), failed or held. */
  exchangeFetched(event: { api: string; kind: string; reason?: string }): void
  decoderRestarted(event: { reason: string }): void
  /** A plug-in gave no answer about a blob. `name`: of its manifest. */
  pluginFailed(event: { name: string; reason: string }): void
  /** Something failed on our side; the error's message is scrubbed. */
  failed(event: { kind: WorkKind; error: unknown; requestId?: string }): void
  /** The bank index after a look at the banks. `lag`: generations. */
  indexMeasured(event: { status: IndexStatus; lag: number }): void
  /** Levels that somebody measured; undefined where the measurement failed. */
  measured(levels: Partial<Record<MetricOf<'gauge'>, number | undefined>>): void
}

export function createTelemetry({ log, metrics }: { log: Log; metrics: Metrics }): Telemetry {
  const requestEnded: Telemetry['requestEnded'] = ({ kind, ms, failed }) => {
    metrics.add('blobwatch_requests_total', { kind })
    metrics.observe('blobwatch_response_time_seconds', { kind }, ms / 1000)
    metrics.shares.failed.count(failed)
  }
  let indexRebuilds = 0
  return {
    log,
    requestEnded,
    scanSettled({ verdict, matchedTypes, setAside = [], lowQuality = false, ms }) {
      const reason = verdict.kind === 'unscannable' ? verdict.reason : ''
      requestEnded({ kind: 'scan', ms, failed: false })
      metrics.add('blobwatch_scans_total', { verdict: verdict.kind, reason })
      metrics.shares.matched.count(verdict.kind === 'matched')
      for (const type of matchedTypes) {
        metrics.add('blobwatch_matches_total', { signal_type: type })
      }
      for (const by of setAside) metrics.add('blobwatch_matches_set_aside_total', { reason: by })
      if (lowQuality) metrics.add('blobwatch_low_quality_total', {})
      const fields = { verdict: verdict.kind, ms, ...(reason && { reason }) }
      if (verdict.kind === 'clear')
        log.debug('scan-settled', { outcome: 'scan-settled', ...fields })
      else logOutcome(log, 'scan-settled', { ...fields, matches: matchedTypes.length })
    },
    matchDecided({ outcome, actions, caseNumber }) {
      metrics.add('blobwatch_decisions_total', { outcome })
      metrics.shares.acted.count(actions > 0)
      logOutcome(log, 'match-decided', {
        kind: outcome,
        count: actions,
        ...(caseNumber && { caseNumber }),
      })
    },
    contentHeld({ caseNumber }) {
      metrics.add('blobwatch_contents_held_total', {})
      log.warn('content-held', {
        outcome: 'content-held',
        reason: 'flood',
        ...(caseNumber !== undefined && { caseNumber }),
      })
    },
    actionEnded({ kind, outcome, reason, actionId, caseNumber, ms }) {
      requestEnded({ kind: 'action', ms, failed: outcome === 'retry' })
      metrics.add('blobwatch_actions_total', { kind, outcome })
      const known = { ...(reason && { reason }), ...(caseNumber && { caseNumber }) }
      logOutcome(log, 'action-ended', { kind, state: outcome, actionId, ms, ...known })
    },
    batchTaken({ source, sightings, undecodable, gaps, seq, lagMs }) {
      metrics.add('blobwatch_sightings_total', { source }, sightings)
      if (undecodable > 0) metrics.add('blobwatch_undecodable_total', { source }, undecodable)
      if (seq !== undefined) metrics.set('blobwatch_firehose_seq', seq)
      if (lagMs !== undefined) metrics.set('blobwatch_firehose_lag_seconds', lagMs / 1000)
      const fields = { source, sightings, undecodable, gaps, ...(lagMs !== undefined && { lagMs }) }
      if (undecodable + gaps > 0) log.warn('batch-taken', { outcome: 'batch-taken', ...fields })
      else log.debug('batch-taken', { outcome: 'batch-taken', ...fields })
    },
    evidenceSettled({ kept, missed }) {
      if (kept > 0) metrics.add('blobwatch_evidence_total', { outcome: 'kept' }, kept)
      for (const reason of missed) {
        metrics.add('blobwatch_evidence_total', { outcome: 'missed' })
        log.warn('evidence-missed', { outcome: 'evidence-missed', reason })
      }
    },
    evidenceDestroyed({ basis }) {
      metrics.add('blobwatch_evidence_destroyed_total', { reason: basis })
      logOutcome(log, 'evidence-destroyed', { reason: basis })
    },
    exchangePageTaken({ added, removed, left }) {
      const outcomes = { added, removed, ...left }
      for (const [outcome, count] of Object.entries(outcomes))
        if (count > 0) metrics.add('blobwatch_exchange_items_total', { outcome }, count)
    },
    exchangeFetched({ api, kind, reason }) {
      metrics.add('blobwatch_exchange_fetches_total', { outcome: kind })
      const fields = { outcome: 'exchange-fetched', component: api, state: kind }
      if (kind === 'failed' || kind === 'held')
        log.warn('exchange-fetched', { ...fields, ...(reason !== undefined && { reason }) })
      else log.info('exchange-fetched', fields)
    },
    decoderRestarted({ reason }) {
      metrics.add('blobwatch_decoder_restarts_total', { reason })
      log.warn('decoder-restarted', { outcome: 'decoder-restarted', reason })
    },
    pluginFailed({ name, reason }) {
      metrics.add('blobwatch_plugin_failures_total', { plugin: name, reason })
      log.warn('plugin-failed', { outcome: 'plugin-failed', component: name, reason })
    },
    failed({ kind, error, requestId }) {
      metrics.add('blobwatch_errors_total', { kind })
      log.error('failed', { outcome: 'failed', kind, error, ...(requestId && { requestId }) })
    },
    indexMeasured({ status, lag }) {
      for (const [type, signals] of Object.entries({ ...status.signals, ...status.others })) {
        metrics.set('blobwatch_index_signals', signals, { signal_type: type })
      }
      metrics.set('blobwatch_index_pending', status.pending)
      metrics.set('blobwatch_index_bytes', status.bytes)
      metrics.set('blobwatch_index_lag_generations', lag)
      metrics.set('blobwatch_index_layout', 1, { layout: status.layout })
      // An index that was read anew counts from 0 again.
      const rebuilds = status.rebuilds - indexRebuilds
      if (rebuilds > 0) metrics.add('blobwatch_index_rebuilds_total', {}, rebuilds)
      indexRebuilds = status.rebuilds
    },
    measured(levels) {
      for (const [name, value] of Object.entries(levels)) {
        metrics.set(name as MetricOf<'gauge'>, value)
      }
    },
  }
}
