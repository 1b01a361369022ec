// Steps claim and settle of a scan job.
//
// Promises: a job has one lease at a time; what a scan found and what follows from it is written in one statement;
// the job goes only if nothing newer asked for it meanwhile.
// A crash between the two leaves the lease, which runs out; the third lease that runs out makes the blob `worker-crash`.
import type {
  ContentReason,
  HostReason,
  MediaKind,
  Signals,
  SourceKind,
  UnscannableReason,
} from '../domain/blob.ts'
import { coverageOf } from '../domain/blob.ts'
import type { Match } from '../domain/bank.ts'
import type { Decision } from '../domain/decide.ts'
import type { SetAside } from '../domain/gate.ts'
import { othersToStore, variantsToStore } from '../domain/stored-signals.ts'
import type { StoredSignals } from '../domain/stored-signals.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import type { SettledEvidence } from './evidence.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

/** One place where the blob was seen and nothing is decided yet. */
export type Place = {
  account: number
  did: string
  /** When the network last said that this account's identity changed. */
  identityAt: string | null
  status: string
  collection: string | null
  rkey: string | null
  recordCid: string | null
  source: SourceKind
  at: string
}

export type HostTry = { host: string; outcome: string; until: string | null; attempts: number }

export type StoredBlob = StoredSignals & {
  verdict: 'clear' | 'matched' | 'unscannable'
  reason: UnscannableReason | null
  kind: MediaKind | null
  bytes: number | null
  bankGeneration: number
}

export type ScanJob = {
  /** sha2-256 digest, hex. */
  cid: string
  generation: number
  token: string
  attempts: number
  crashes: number
  retro: number | null
  created_at: Date
  blob: StoredBlob | null
  tries: HostTry[]
  addresses: string[]
  sightings: Place[]
  page_full: boolean
}

export const scanLimits = {
  leaseSeconds: 120,
  /** Places decided in one settle; more follow in the next. */
  placesPerPage: 500,
} as const

export async function claimScans(
  db: Database,
  options: { limit: number; nowMs: number },
): Promise<ScanJob[]> {
  const jobs = await callStep<ScanJob[]>(db, 'claim_scans_v1', {
    now: new Date(options.nowMs),
    limit: options.limit,
    leaseSeconds: scanLimits.leaseSeconds,
    page: scanLimits.placesPerPage,
  })
  if (jobs.length > 0) crashPoint('claim:after')
  return jobs
}

export type TryRecord = { host: string; outcome: HostReason | 'ok'; untilMs?: number }

export type ScanFound = {
  verdict:
    { kind: 'clear' } | { kind: 'matched' } | { kind: 'unscannable'; reason: UnscannableReason }
  /** Of one that matched: why its bytes could not be looked at in full. It is not clear when it matches no more. */
  unlooked?: ContentReason
  media?: MediaKind
  bytes?: number
  signals: Signals
  bankGeneration: number
  /** What counts. */
  matches: Match[]
  /** What was kept from counting: recorded beside them. */
  setAside?: SetAside[]
  decisions: { place: Place; decision: Decision }[]
}

export type SettleInput = { job: ScanJob; tries: TryRecord[]; nowMs: number } &
  /** `againAtMs`: some places are not decided yet, because a DID could not be resolved; the job runs once more then. */
  (
    | { found: ScanFound; againAtMs?: number; evidence?: SettledEvidence }
    /** `evidence`: what is decided waits for its evidence; the first such time starts the wait. */
    | {
        deferred: {
          untilMs: number
          reason: HostReason | 'evidence' | 'plugin-failed'
          evidence?: true
        }
      }
  )

export type Settled = {
  result: 'settled' | 'again' | 'deferred' | 'lost'
  decisions: number
  case_file: number | null
}

export async function settle(db: Database, input: SettleInput): Promise<Settled> {
  crashPoint('settle:before')
  const [row] = await callStep<Settled[]>(db, 'settle_v1', settlePayload(input))
  crashPoint('settle:after')
  if (row === undefined) throw new TypeError('settle_v1 answers with one row')
  return row
}

function settlePayload(input: SettleInput): object {
  const { job } = input
  const base = {
    now: new Date(input.nowMs),
    cid: job.cid,
    token: job.token,
    generation: job.generation,
    // A host asked for two accounts has one row: what it said last.
    tries: [...new Map(input.tries.map((made) => [made.host, made])).values()].map((made) => ({
      host: made.host,
      outcome: made.outcome,
      until: made.untilMs === undefined ? null : new Date(made.untilMs),
    })),
  }
  if ('deferred' in input) {
    const { untilMs, reason, evidence = false } = input.deferred
    return { ...base, deferred: { until: new Date(untilMs), reason, evidence } }
  }
  const { found } = input
  const { signals, verdict } = found
  return {
    ...base,
    bankGeneration: found.bankGeneration,
    pageFull: job.page_full && found.decisions.length > 0,
    ...(input.evidence !== undefined && { evidence: input.evidence }),
    ...(input.againAtMs !== undefined && { againAt: new Date(input.againAtMs) }),
    blob: {
      bytes: found.bytes ?? null,
      coverage: coverageOf(signals),
      verdict: verdict.kind,
      reason: verdict.kind === 'unscannable' ? verdict.reason : null,
      unlooked: found.unlooked ?? null,
      kind: found.media ?? null,
      pdq: signals.pdq?.hash ?? null,
      quality: signals.pdq?.quality ?? null,
      md5: signals.md5 ?? null,
      sha1: signals.sha1 ?? null,
    },
    variants: variantsToStore(signals),
    others: othersToStore(signals),
    matches: [...found.matches.map(matchRow), ...(found.setAside ?? []).map(setAsideRow)],
    decisions: found.decisions.toSorted(byPlace).map(({ place, decision }) => ({
      account: place.account,
      did: place.did,
      collection: place.collection,
      rkey: place.rkey,
      recordCid: place.recordCid,
      sightingAt: place.at,
      source: place.source,
      outcome: decision.outcome,
      reason: decision.reason,
      mode: decision.mode,
      bank: decision.lead.bankId,
      type: decision.lead.type,
      distance: decision.lead.distance,
      variant: decision.lead.variant,
      policyVersion: decision.policyVersion,
      contents: leadFirst(decision),
      wants: decision.wants,
      label: decision.label ?? null,
    })),
  }
}

function matchRow(match: Match): object {
  return {
    signal: match.signalId,
    content: match.contentId,
    bank: match.bankId,
    type: match.type,
    distance: match.distance,
    variant: match.variant,
  }
}

function setAsideRow(match: SetAside): object {
  const setAsideBy = match.by === 'negative' ? match.byContent : null
  return { ...matchRow(match), setAside: match.by, setAsideBy }
}

function leadFirst(decision: Decision): number[] {
  return [...new Set([decision.lead.contentId, ...decision.contents])]
}

/** One order for every worker, so that two that touch the same records do not wait for each other. */
function byPlace(a: { place: Place }, b: { place: Place }): number {
  return (
    a.place.account - b.place.account ||
    (a.place.collection ?? '').localeCompare(b.place.collection ?? '') ||
    (a.place.rkey ?? '').localeCompare(b.place.rkey ?? '')
  )
}
