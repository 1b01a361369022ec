// The way of a blob, on one screen: look at what is known, fetch, hash, match, leave out what does not count, decide. It
// sees ports only.
//
// Promises: every path ends in exactly one of settled or deferred; nothing that failed reads as `clear`; what one host
// did decides only about that host. Writes nothing itself: `settle` writes all of it in one statement.
import { createHash } from 'node:crypto'
import type { Bank, Mode } from './domain/bank.ts'
import { contentReasons, coversKind } from './domain/blob.ts'
import type { HostReason, MediaKind, Signals, UnscannableReason } from './domain/blob.ts'
import { blobCidOf } from './domain/cid.ts'
import { decide } from './domain/decide.ts'
import { gate } from './domain/gate.ts'
import type { Gated } from './domain/gate.ts'
import { pluginReason } from './domain/other-type.ts'
import type { OtherTypes } from './domain/other-type.ts'
import type {
  BlobFetcher,
  Clock,
  HashOutcome,
  Hasher,
  HostResolver,
  Matcher,
} from './domain/ports.ts'
import { signalsOf } from './domain/stored-signals.ts'
import type { HostTry, Place, ScanFound, ScanJob, SettleInput, TryRecord } from './steps/scan.ts'

export type PipelineOptions = {
  mode: Mode
  fetcher: BlobFetcher
  resolver: HostResolver
  hasher: Hasher
  /** The types of plug-ins that the hasher asks: without their answers nothing is `clear`. */
  others: OtherTypes
  matcher: Matcher
  banks: () => ReadonlyMap<number, Bank>
  /** Origin of the one host whose admin interface we hold, as DID documents name it. */
  administeredPds: string | undefined
  canLabel: boolean
  /** A vault is configured. What decisions ask to be kept is kept before they are settled (roles/preserve.ts). */
  canPreserve: boolean
  clock: Clock
}

export const pipelineLimits = {
  crashesMax: 3,
  triesPerRun: 8,
  accountsPerHost: 3,
  lookupsAtOnce: 16,
  /** Longer than the resolver's cache keeps a document. */
  identityFreshMs: 11 * 60_000,
  /** A blob that no host gave within this time is unscannable; a person may still retry it. */
  ageMsMax: 72 * 3600 * 1000,
  /** A blob may be announced before its host serves it; after these tries it is `not-found`. */
  notFoundTries: 5,
  /** A blob that a bank names by its CID alone, and that no act follows from, is looked for this often before it is decided. */
  triesBeforeCidAlone: 3,
  /** A plug-in that does not answer at this moment is asked again in a later run, this often: some minutes in all. */
  pluginTries: 5,
  retryMsMin: 2_000,
  retryMsMax: 3600 * 1000,
} as const

/** What a scan comes to, with the verified bytes when this run had them; `noBytes`: asked for, and not to be had now. */
export type Scanned = SettleInput & { bytes?: Uint8Array; noBytes?: NoBytes }

/** Media and signals as far as they are known, and why not further. */
type Known = {
  signals: Signals
  media?: MediaKind
  bytes?: number
  unscannable?: UnscannableReason
}

export async function scanBlob(
  job: ScanJob,
  options: PipelineOptions,
  signal: AbortSignal,
): Promise<Scanned> {
  const stored = storedSignals(job)
  const unseen = stored && pluginReason(stored.signals, stored.media, options.others)
  if (stored !== undefined && unseen !== 'plugin-failed')
    return conclude(job, stored, [], options, signal)
  // What is known without the bytes: the CID, and where only a plug-in has not seen them yet, all else.
  const before: Known = stored ?? { signals: { sha256: job.cid } }
  if (job.crashes >= pipelineLimits.crashesMax) {
    return conclude(job, { unscannable: 'worker-crash', ...before }, [], options, signal)
  }

  // Match before fetch where that alone decides.
  const early = await conclude(job, before, [], options, signal)
  const matchedEarly = 'found' in early && early.found.verdict.kind === 'matched'
  const decided = 'found' in early ? early.found.decisions : []
  const acts = decided.some(({ decision }) => decision.outcome === 'acted')
  // Where evidence is asked for, the bytes are needed in any case.
  if (matchedEarly && acts && !decided.some(({ decision }) => decision.preserve)) return early

  const got = await fetchFromAnyHost(job, options, signal)
  if ('bytes' in got) {
    const hashed = await options.hasher.hash({ ...got, signal })
    const scanned = await conclude(job, knownOf(got, hashed), got.tries, options, signal)
    const later = askedAgainAt(job, hashed, scanned, options.clock())
    return later ?? { ...scanned, bytes: got.bytes }
  }
  const deferred = deferral(job, got, options.clock())
  // What the bytes may add is waited for a little; then what the CID alone tells is decided.
  const waits = !acts && (!matchedEarly || job.attempts < pipelineLimits.triesBeforeCidAlone)
  if (deferred !== undefined && waits)
    return { job, tries: got.tries, nowMs: options.clock(), deferred }
  if (matchedEarly) return { ...early, tries: got.tries, noBytes: got }
  // What an earlier scan said of the bytes themselves stays true.
  return conclude(job, { unscannable: got.reason, ...before }, got.tries, options, signal)
}

function knownOf({ bytes }: FetchedBytes, hashed: HashOutcome): Known {
  const { signals, media, unscannable } = hashed
  return { signals, media, bytes: bytes.length, ...(unscannable && { unscannable }) }
}

/** Where a plug-in gave no answer at this moment only. What matches without it is settled at once. */
function askedAgainAt(
  job: ScanJob,
  { failedPlugins = [] }: HashOutcome,
  scanned: SettleInput,
  nowMs: number,
): Scanned | undefined {
  const isMatched = 'found' in scanned && scanned.found.verdict.kind === 'matched'
  if (failedPlugins.length === 0 || isMatched || job.attempts >= pipelineLimits.pluginTries)
    return undefined
  const untilMs = nowMs + backOffMs(job.attempts)
  return { job, tries: scanned.tries, nowMs, deferred: { untilMs, reason: 'plugin-failed' } }
}

/** What an earlier scan computed, when it is all that this kind of media can give but for what plug-ins say. */
function storedSignals(job: ScanJob): (Known & { media: MediaKind }) | undefined {
  const { blob } = job
  if (blob?.kind == null || blob.md5 === null || blob.sha1 === null) return undefined
  const signals = signalsOf(job.cid, blob)
  const reason = contentReasons.find((known) => known === blob.reason)
  if (reason === undefined && !coversKind(signals, blob.kind)) return undefined
  return {
    signals,
    media: blob.kind,
    ...(blob.bytes !== null && { bytes: blob.bytes }),
    ...(reason && { unscannable: reason }),
  }
}

async function conclude(
  job: ScanJob,
  known: Known,
  tries: TryRecord[],
  options: PipelineOptions,
  signal: AbortSignal,
): Promise<SettleInput> {
  const { matches, generation } = await options.matcher.match(known.signals)
  const banks = options.banks()
  const { counted, setAside } = gate(matches, banks, known.signals.sha256)
  const { located, unsure } =
    counted.length > 0 ? await locate(job, options, signal) : { located: [], unsure: false }
  const nowMs = options.clock()
  const found: ScanFound = {
    verdict: verdictOf(known, counted, options.others),
    ...(counted.length > 0 && unlookedOf(known)),
    signals: known.signals,
    ...(known.media && { media: known.media }),
    ...(known.bytes !== undefined && { bytes: known.bytes }),
    bankGeneration: generation,
    matches: counted,
    setAside,
    decisions: located.map(({ place, administered }) => ({
      place,
      decision: decide({
        deploymentMode: options.mode,
        retroactive: job.retro !== null,
        matches: counted,
        banks,
        place: {
          ...(place.collection !== null && { collection: place.collection }),
          ...(place.rkey !== null && { rkey: place.rkey }),
          administered,
        },
        canLabel: options.canLabel,
        canPreserve: options.canPreserve,
      }),
    })),
  }
  return { job, tries, nowMs, found, ...(unsure && { againAtMs: nowMs + backOffMs(job.attempts) }) }
}

/** `clear` only with every signal type that the kind requires (promise 2). */
function verdictOf(
  known: Known,
  counted: Gated['counted'],
  others: OtherTypes,
): ScanFound['verdict'] {
  if (counted.length > 0) return { kind: 'matched' }
  if (known.unscannable !== undefined) return { kind: 'unscannable', reason: known.unscannable }
  const { signals, media } = known
  if (media === undefined || !coversKind(signals, media))
    return { kind: 'unscannable', reason: 'corrupt' }
  const reason = pluginReason(signals, media, others)
  return reason === undefined ? { kind: 'clear' } : { kind: 'unscannable', reason }
}

function unlookedOf({ unscannable }: Known): Pick<ScanFound, 'unlooked'> {
  const unlooked = contentReasons.find((reason) => reason === unscannable)
  return unlooked === undefined ? {} : { unlooked }
}

type Located = { place: Place; administered: boolean }

/** Which places lie on the host we administer. A DID that cannot be resolved now is left for a later run. */
async function locate(
  job: ScanJob,
  options: PipelineOptions,
  signal: AbortSignal,
): Promise<{ located: Located[]; unsure: boolean }> {
  const { administeredPds } = options
  if (administeredPds === undefined) {
    return {
      located: job.sightings.map((place) => ({ place, administered: false })),
      unsure: false,
    }
  }
  const givenUp = options.clock() - job.created_at.getTime() > pipelineLimits.ageMsMax
  const located: Located[] = []
  let unsure = false
  for (let at = 0; at < job.sightings.length; at += pipelineLimits.lookupsAtOnce) {
    const places = job.sightings.slice(at, at + pipelineLimits.lookupsAtOnce)
    const hosts = await Promise.all(places.map((place) => pdsOf(place, options, signal)))
    for (const [i, place] of places.entries()) {
      const host = hosts[i]
      if (host?.kind === 'deferred' && !givenUp) unsure = true
      else
        located.push({
          place,
          administered: host?.kind === 'found' && host.pds === administeredPds,
        })
    }
  }
  return { located, unsure }
}

/** Another process may have heard of the change: what this one cached before it is not believed. */
function pdsOf(place: Place, { resolver, clock }: PipelineOptions, signal: AbortSignal) {
  const changedMs = place.identityAt === null ? 0 : Date.parse(place.identityAt)
  const fresh = clock() - changedMs < pipelineLimits.identityFreshMs
  return resolver.pdsOf(place.did, { signal, fresh })
}

export type NoBytes = { tries: TryRecord[]; reason: UnscannableReason; untilMs?: number }
export type FetchedBytes = { tries: TryRecord[]; bytes: Uint8Array; contentType?: string }

/**
 * Asks the hosts that know the blob until one gives bytes that are the CID's. A host is asked for one account; where that
 * account lost the blob, another account's copy on the same host may still be there.
 */
export async function fetchFromAnyHost(
  job: ScanJob,
  options: PipelineOptions,
  signal: AbortSignal,
): Promise<FetchedBytes | NoBytes> {
  const blobCid = blobCidOf(job.cid)
  const tries: TryRecord[] = []
  const failed: { reason: HostReason; untilMs?: number }[] = []
  const asked = new Map<string, { accounts: number; settled: boolean }>()

  for (const place of new Map(job.sightings.map((one) => [one.did, one])).values()) {
    if (failed.length >= pipelineLimits.triesPerRun) {
      // There are more hosts: the next run asks those.
      failed.push({ reason: failed[0]?.reason ?? 'not-found', untilMs: options.clock() })
      break
    }
    const host = await pdsOf(place, options, signal)
    if (host.kind !== 'found') {
      failed.push({
        reason: host.reason,
        ...(host.kind === 'deferred' && { untilMs: options.clock() }),
      })
      continue
    }
    const before = asked.get(host.pds) ?? { accounts: 0, settled: false }
    if (before.settled || before.accounts >= pipelineLimits.accountsPerHost) continue
    asked.set(host.pds, before)
    before.accounts += 1
    before.settled = true
    const earlier = earlierAnswer(job.tries, host.pds, options.clock())
    if (earlier !== undefined) {
      failed.push(earlier)
      continue
    }
    const outcome = await options.fetcher.fetch({ did: place.did, blobCid, signal })
    if (outcome.kind === 'bytes') {
      tries.push({ host: outcome.host, outcome: 'ok' })
      return { tries, ...pickBytes(outcome) }
    }
    before.settled = !mayChange(outcome.reason)
    const untilMs =
      outcome.kind === 'deferred'
        ? outcome.untilMs
        : mayChange(outcome.reason)
          ? options.clock()
          : undefined
    tries.push({
      host: outcome.host,
      outcome: outcome.reason,
      ...(untilMs !== undefined && { untilMs }),
    })
    failed.push({
      reason: outcome.reason,
      ...(outcome.kind === 'deferred' && { untilMs: outcome.untilMs }),
    })
  }

  for (const url of job.addresses) {
    const outcome = await options.fetcher.fetchUrl({ url, signal })
    if (outcome.kind !== 'bytes') continue
    if (createHash('sha256').update(outcome.bytes).digest('hex') === job.cid)
      return { tries, ...pickBytes(outcome) }
  }

  const waiting = failed.filter((one) => one.untilMs !== undefined)
  const untilMs = Math.min(...waiting.map((one) => one.untilMs as number))
  const changing = failed.find((one) => mayChange(one.reason))
  const reason = (waiting[0] ?? changing ?? failed[0])?.reason ?? 'no-host'
  return { tries, reason, ...(waiting.length > 0 && { untilMs }) }
}

/** A blob may yet appear and an account may come back; a wrong answer stays wrong. */
export function mayChange(reason: HostReason): boolean {
  return reason === 'not-found' || reason === 'account-inactive'
}

function earlierAnswer(
  tries: HostTry[],
  host: string,
  nowMs: number,
): { reason: HostReason; untilMs?: number } | undefined {
  const earlier = tries.find((made) => made.host === host)
  if (earlier === undefined || earlier.outcome === 'ok') return undefined
  const reason = earlier.outcome as HostReason
  if (earlier.until === null) return { reason }
  const untilMs = Date.parse(earlier.until)
  return untilMs > nowMs ? { reason, untilMs } : undefined
}

function pickBytes(outcome: {
  bytes: Uint8Array
  contentType?: string
}): Pick<FetchedBytes, 'bytes' | 'contentType'> {
  return {
    bytes: outcome.bytes,
    ...(outcome.contentType !== undefined && { contentType: outcome.contentType }),
  }
}

/** When to try again; undefined when waiting longer would not help. */
function deferral(
  job: ScanJob,
  got: NoBytes,
  nowMs: number,
): { untilMs: number; reason: HostReason } | undefined {
  const reason = got.reason as HostReason
  const tooOld = nowMs - job.created_at.getTime() > pipelineLimits.ageMsMax
  const mayAppear = mayChange(reason) && job.attempts < pipelineLimits.notFoundTries
  if (tooOld || (got.untilMs === undefined && !mayAppear)) return undefined
  return { reason, untilMs: Math.max(got.untilMs ?? 0, nowMs + backOffMs(job.attempts)) }
}

function backOffMs(attempts: number): number {
  return Math.min(
    pipelineLimits.retryMsMax,
    pipelineLimits.retryMsMin * 4 ** Math.min(attempts - 1, 10),
  )
}
