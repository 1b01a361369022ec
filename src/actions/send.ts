// Sends one released action: proves what the source did not, then asks the PDS or signs the label.
//
// Promises: credentials go to the configured PDS only; a record is labelled or taken down only after its host has shown,
// with the account's own signature, that it carries the blob. Never throws for what the other side does.
import type { Did } from '../domain/blob.ts'
import { blobCidOf, recordCidOf } from '../domain/cid.ts'
import { RetryableError } from '../domain/errors.ts'
import type { RemoteSubject, SendOutcome, SignedLabel, TakedownPort } from '../domain/ports.ts'
import type { LabelInput } from '../domain/ports.ts'
import type { ClaimedAction } from '../steps/act.ts'
import { applyTakedown } from './takedown.ts'

/** Whether the record, as the account's host has it now, carries the blob. */
export type RecordProof =
  | { kind: 'proved'; recordCid: string }
  | { kind: 'not-there' }
  | { kind: 'not-carried' }
  | { kind: 'deferred'; reason: string }
  | { kind: 'unavailable'; reason: string }

export type SendOptions = {
  takedowns: TakedownPort | undefined
  sign: ((label: LabelInput) => Promise<SignedLabel & { keyDid: string }>) | undefined
  prove: (place: {
    did: Did
    collection: string
    rkey: string
    blobCid: string
    signal: AbortSignal
  }) => Promise<RecordProof>
  nowMs: number
  signal: AbortSignal
}

export type Sent = { outcome: SendOutcome; label?: SignedLabel & { keyDid: string } }

export async function sendAction(claimed: ClaimedAction, options: SendOptions): Promise<Sent> {
  if (claimed.did === null) return { outcome: { kind: 'refused', reason: 'account-erased' } }
  switch (claimed.kind) {
    case 'takedown-blob':
    case 'takedown-record':
      return sendTakedown(claimed, claimed.did, options)
    case 'label':
      return sendLabel(claimed, claimed.did, options)
    default:
      throw new TypeError(`unknown action ${String(claimed.kind satisfies never)}`)
  }
}

async function sendTakedown(claimed: ClaimedAction, did: Did, options: SendOptions): Promise<Sent> {
  if (options.takedowns === undefined) {
    return {
      outcome: { kind: 'retry', reason: 'no admin password is configured', afterMs: 60_000 },
    }
  }
  const subject = await takedownSubject(claimed, did, options)
  if ('outcome' in subject) return subject
  const { applied, ref } = claimed
  const outcome = await applyTakedown({
    port: options.takedowns,
    subject,
    applied,
    ref,
    signal: options.signal,
  })
  return {
    outcome: outcome.kind === 'done' ? { ...outcome, detail: { ...outcome.detail, ref } } : outcome,
  }
}

async function takedownSubject(
  claimed: ClaimedAction,
  did: Did,
  options: SendOptions,
): Promise<RemoteSubject | Sent> {
  const blobCid = blobCidOf(claimed.blob_cid)
  if (claimed.kind === 'takedown-blob') return { kind: 'blob', did, blobCid }
  const { collection, rkey } = placeOf(claimed)
  // A reversal needs no proof: it takes back what we did, wherever the record has gone since.
  if (!claimed.applied && claimed.record_cid !== null) {
    return { kind: 'record', did, collection, rkey, recordCid: recordCidOf(claimed.record_cid) }
  }
  const proof = await options.prove({ did, collection, rkey, blobCid, signal: options.signal })
  return proof.kind === 'proved'
    ? { kind: 'record', did, collection, rkey, recordCid: proof.recordCid }
    : { outcome: withoutProof(proof) }
}

async function sendLabel(claimed: ClaimedAction, did: Did, options: SendOptions): Promise<Sent> {
  const val = claimed.detail?.val
  if (options.sign === undefined) {
    return { outcome: { kind: 'retry', reason: 'no label key is configured', afterMs: 60_000 } }
  }
  if (val === undefined)
    return { outcome: { kind: 'refused', reason: 'the action names no label' } }
  const { collection, rkey } = placeOf(claimed)
  const blobCid = blobCidOf(claimed.blob_cid)
  const proof = claimed.applied
    ? await options.prove({ did, collection, rkey, blobCid, signal: options.signal })
    : undefined
  if (proof !== undefined && proof.kind !== 'proved') return { outcome: withoutProof(proof) }
  // A negation names the version that the label named: consumers tell labels apart by it.
  const cid = proof?.recordCid ?? claimed.detail?.cid
  const label = await options.sign({
    uri: `at://${did}/${collection}/${rkey}`,
    ...(cid !== undefined && { cid }),
    val,
    neg: !claimed.applied,
    cts: new Date(options.nowMs).toISOString(),
  })
  return { outcome: { kind: 'done', detail: {} }, label }
}

function placeOf(claimed: ClaimedAction): { collection: string; rkey: string } {
  const { collection, rkey } = claimed
  if (collection === null || rkey === null)
    throw new TypeError(`action ${claimed.action} has no record`)
  return { collection, rkey }
}

function withoutProof(proof: Exclude<RecordProof, { kind: 'proved' }>): SendOutcome {
  switch (proof.kind) {
    case 'not-there':
      return { kind: 'refused', reason: 'record-gone' }
    case 'not-carried':
      return { kind: 'refused', reason: 'record-does-not-carry-the-blob' }
    case 'deferred':
      return { kind: 'retry', reason: `proof: ${proof.reason}` }
    case 'unavailable':
      return { kind: 'refused', reason: `proof: ${proof.reason}` }
    default:
      throw new RetryableError(`unknown proof ${String(proof satisfies never)}`)
  }
}
