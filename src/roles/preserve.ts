// Evidence first (promise 6): between scan and settle both copies of what a decision asks to be kept go into the vault,
// account by account; settle then records them in the statement that records the decisions.
//
// Promises: nothing that asks for evidence is settled before its copies are durable, or before ten minutes were spent on
// trying; then it goes ahead, and an entry says why there is none. The wait is kept in the database, over restarts.
// A crash leaves files that no evidence counts; their names were written down first and are swept a day later.
import { forgetPlans, planEvidence, waitingSince } from '../steps/evidence.ts'
import type { KeptEvidence, MissedEvidence, PlannedEvidence } from '../steps/evidence.ts'
import type { Place, ScanFound, SettleInput, TryRecord } from '../steps/scan.ts'
import { newObjectName } from '../evidence/object-name.ts'
import type { EvidenceFacts } from '../evidence/container.ts'
import type { Vault } from '../evidence/vault.ts'
import { blobCidOf } from '../domain/cid.ts'
import type { Decision } from '../domain/decide.ts'
import { PermanentError, RetryableError } from '../domain/errors.ts'
import type { RecordReader } from '../domain/ports.ts'
import type { Database } from '../db/client.ts'
import { fetchFromAnyHost, mayChange } from '../pipeline.ts'
import type { PipelineOptions, Scanned } from '../pipeline.ts'
import { crashPoint } from '../telemetry/crash-point.ts'
import { version } from '../version.ts'

export type PreserveOptions = PipelineOptions & {
  db: Database
  vault: Vault | undefined
  readRecord: RecordReader
}

export const preserveLimits = {
  /** How long a takedown waits for its evidence, from the first time that it could not be had. */
  waitMsMax: 10 * 60_000,
  againMs: 15_000,
  /** Accounts of one blob in one run; the others follow in the next, so that a lease is long enough for all of it. */
  accountsPerRun: 25,
  /** Each holds the blob three times in memory. */
  copiesAtOnce: 2,
  /** Of a run, from when the bytes are there. */
  storeMsMax: 40_000,
  /** For handle and record, which are context: what they do not say in this time is left out. */
  contextMsMax: 5_000,
} as const

type Wanted = { place: Place; decision: Decision }
type Failed = { account: number; reason: string }

export async function preserve(
  scanned: Scanned,
  options: PreserveOptions,
  signal: AbortSignal,
): Promise<SettleInput> {
  const { bytes: _, noBytes: _none, ...input } = scanned
  const { vault } = options
  if (!('found' in input) || vault === undefined) return input
  const all = firstOfEachAccount(input.found)
  if (all.length === 0) return input

  const wanted = all.slice(0, preserveLimits.accountsPerRun)
  const later = new Set(all.slice(wanted.length).map(({ place }) => place.account))
  const names = wanted.map(({ place: { account } }) => ({
    account,
    sealed: newObjectName(),
    working: newObjectName(),
  }))
  const { cid, retro } = input.job
  const planned = await planEvidence(options.db, {
    cid,
    retro,
    places: names,
    nowMs: options.clock(),
  })
  if (planned.length > 0) crashPoint('evidence:planned')
  const got = await bytesFor(scanned, planned, options, signal)
  const tries = [...input.tries, ...got.tries]
  if (!('bytes' in got)) {
    // Nothing was written under these names.
    if (planned.length > 0)
      await forgetPlans(
        options.db,
        planned.map(({ id }) => id),
      )
    const failed = planned.map(({ account }) => ({ account, reason: got.reason }))
    return outcome({ ...input, tries }, { kept: [], failed, later, helps: got.helps }, options)
  }

  const stop = AbortSignal.any([signal, AbortSignal.timeout(preserveLimits.storeMsMax)])
  const kept: KeptEvidence[] = []
  const failed: Failed[] = []
  const queue = [...planned]
  const work = async () => {
    for (let plan = queue.shift(); plan !== undefined; plan = queue.shift()) {
      const name = names.find((one) => one.account === plan.account)
      const want = wanted.find(({ place }) => place.account === plan.account)
      if (name === undefined || want === undefined) throw new TypeError('a plan of nobody')
      const facts = await factsOf(plan, want, input.found, got.bytes, options, stop)
      const result = await keepCopies({ vault, plan, name, facts, bytes: got.bytes, signal: stop })
      if ('reason' in result) failed.push({ account: plan.account, reason: result.reason })
      else kept.push(result)
    }
  }
  await Promise.all(Array.from({ length: preserveLimits.copiesAtOnce }, work))
  signal.throwIfAborted()
  if (kept.length > 0) crashPoint('evidence:stored')
  return outcome({ ...input, tries }, { kept, failed, later, helps: true }, options)
}

/**
 * Puts both copies of verified bytes into the vault under names that were planned (steps/evidence.ts). What comes back
 * goes into settle's `evidence.kept`; without that the copies are nobody's and are swept. For whoever has the bytes: the
 * scanner, or a gate with its own stream. A store that does not take them is a reason, not an error.
 */
export async function keepCopies(input: {
  vault: Vault
  plan: Pick<PlannedEvidence, 'id' | 'account'>
  name: { sealed: string; working: string }
  facts: EvidenceFacts
  bytes: Uint8Array
  signal: AbortSignal
}): Promise<KeptEvidence | { reason: string }> {
  const { vault, plan, name, facts, bytes, signal } = input
  try {
    signal.throwIfAborted()
    const { sealed, working } = await vault.seal(facts, bytes)
    await vault.store.put(name.sealed, sealed.bytes, signal)
    await vault.store.put(name.working, working.bytes, signal)
    return {
      id: plan.id,
      account: plan.account,
      facts: factsForPeople(facts),
      sealedBytes: sealed.bytes.length,
      sealedSha256: sealed.sha256,
      workingBytes: working.bytes.length,
      workingSha256: working.sha256,
    }
  } catch (error) {
    return { reason: storeReason(error, signal) }
  }
}

function storeReason(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'store-slow'
  if (error instanceof RetryableError) return 'store-away'
  if (error instanceof PermanentError) return 'store-refuses'
  throw error
}

/** One place an account: what is kept is the account's copy of the blob, in whatever records. */
function firstOfEachAccount({ decisions }: ScanFound): Wanted[] {
  const first = new Map<number, Wanted>()
  for (const one of decisions) {
    if (one.decision.preserve && !first.has(one.place.account)) first.set(one.place.account, one)
  }
  return [...first.values()]
}

type Got = { tries: TryRecord[] } & ({ bytes: Uint8Array } | { reason: string; helps: boolean })

/** Nothing is fetched when everything is kept already. */
async function bytesFor(
  scanned: Scanned,
  planned: PlannedEvidence[],
  options: PreserveOptions,
  signal: AbortSignal,
): Promise<Got> {
  if (scanned.bytes !== undefined) return { tries: [], bytes: scanned.bytes }
  if (planned.length === 0) return { tries: [], reason: 'not-needed', helps: false }
  const got = scanned.noBytes ?? (await fetchFromAnyHost(scanned.job, options, signal))
  signal.throwIfAborted()
  const tries = scanned.noBytes === undefined ? got.tries : []
  if ('bytes' in got) return { tries, bytes: got.bytes }
  const { reason, untilMs } = got
  const helps = untilMs !== undefined || (reason !== 'no-host' && mayChange(reason as never))
  return { tries, reason, helps }
}

async function outcome(
  input: Extract<SettleInput, { found: ScanFound }>,
  made: { kept: KeptEvidence[]; failed: Failed[]; later: Set<number>; helps: boolean },
  options: PreserveOptions,
): Promise<SettleInput> {
  const { kept, failed, later, helps } = made
  const nowMs = options.clock()
  const sinceMs = (await waitingSince(options.db, input.job.cid))?.getTime() ?? nowMs
  const untilMs = sinceMs + preserveLimits.waitMsMax
  const waits = failed.length > 0 && helps && nowMs < untilMs
  const againMs = waits ? Math.min(nowMs + preserveLimits.againMs, untilMs) : nowMs
  const left = waits ? new Set([...later, ...failed.map(({ account }) => account)]) : later
  const decisions = input.found.decisions.filter(({ place }) => !left.has(place.account))
  if (waits && decisions.length === 0) {
    const { job, tries } = input
    return { job, tries, nowMs, deferred: { untilMs: againMs, reason: 'evidence', evidence: true } }
  }
  const waitedSeconds = Math.max(0, Math.round((nowMs - sinceMs) / 1000))
  const missed: MissedEvidence[] = waits ? [] : failed.map((one) => ({ ...one, waitedSeconds }))
  const againAtMs =
    left.size === 0 ? input.againAtMs : Math.min(againMs, input.againAtMs ?? Infinity)
  return {
    ...input,
    nowMs,
    found: { ...input.found, decisions },
    evidence: { kept, missed, waits },
    ...(againAtMs !== undefined && { againAtMs }),
  }
}

async function factsOf(
  plan: PlannedEvidence,
  { place, decision }: Wanted,
  found: ScanFound,
  bytes: Uint8Array,
  options: PreserveOptions,
  stop: AbortSignal,
): Promise<EvidenceFacts> {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(preserveLimits.contextMsMax)])
  const { did } = place
  const [home, handle, record] = await Promise.all([
    options.resolver.pdsOf(did, { signal }),
    options.resolver.handleOf(did, { signal }),
    recordOf(place, options, signal),
  ])
  return {
    evidence: plan.id,
    ...(plan.case_file !== null && { case: plan.case_file }),
    cid: blobCidOf(found.signals.sha256),
    sha256: found.signals.sha256,
    media: found.media ?? 'unknown',
    bytes: bytes.length,
    did,
    ...(handle !== undefined && { handle }),
    ...(home.kind === 'found' && { pds: home.pds }),
    ...(record && { record }),
    seenAt: place.at,
    source: place.source,
    keptAt: new Date(options.clock()).toISOString(),
    bank: `b${decision.lead.bankId}`,
    keptBy: `blobwatch ${version}`,
  }
}

async function recordOf(
  { did, collection, rkey, recordCid }: Place,
  { readRecord }: PreserveOptions,
  signal: AbortSignal,
): Promise<EvidenceFacts['record']> {
  if (collection === null || rkey === null) return undefined
  const copy = await readRecord({ did, collection, rkey, signal })
  return {
    uri: `at://${did}/${collection}/${rkey}`,
    ...(recordCid !== null && { cid: recordCid }),
    ...(copy.kind === 'record'
      ? { served: { ...(copy.cid !== undefined && { cid: copy.cid }), json: copy.json } }
      : { missing: copy.reason }),
  }
}

/** The row's facts name nobody: an account that is erased is named in sealed files only. */
function factsForPeople(facts: EvidenceFacts): KeptEvidence['facts'] {
  const { media, bytes, bank, source, seenAt, record } = facts
  return {
    media,
    bytes,
    bank,
    source,
    seenAt,
    record: record === undefined ? 'none' : record.served ? 'kept' : (record.missing ?? 'missing'),
  }
}
