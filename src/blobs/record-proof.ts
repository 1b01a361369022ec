// Whether an account's repository really holds a record that carries a blob, before anything is done to either.
// It promises: `proved` only when the account's signing key signed a commit whose tree holds the record. It does not
// promise that the commit is the newest one: a host can serve an older commit of its own account.
// It never throws for what the other side does. A crash leaves nothing behind.
import { def, formatDataKey, MemoryBlockstore, MST, readCarWithRoot } from '@atproto/repo'
import { verifyCommitSig } from '@atproto/repo'
import type { BlobCid, Did, HostReason } from '../domain/blob.ts'
import type { HostResolver } from '../domain/ports.ts'
import type { HostClient } from './host-client.ts'
import { deniesAccount, refusalReason } from './refusal.ts'

export type RecordProof =
  | { kind: 'proved'; recordCid: string }
  /** The signed tree has no such record, or the account's host says so. */
  | { kind: 'not-there' }
  | { kind: 'not-carried' }
  | { kind: 'deferred' | 'unavailable'; reason: HostReason }

export type RecordProofRequest = {
  did: Did
  collection: string
  rkey: string
  blobCid: BlobCid
  resolver: HostResolver
  /** The blob fetcher's client, which knows the pair and keeps the budgets. */
  client: HostClient
  /** Whether a decoded record carries the blob; the walker lives with the sources. */
  carries: (record: unknown, blobCid: BlobCid) => boolean
  signal: AbortSignal
}

export async function verifyRecordCarries(request: RecordProofRequest): Promise<RecordProof> {
  const first = await proveOnce(request, false)
  // A new host or a new key looks like a lie until the DID document is read again.
  return first.kind === 'again' ? settled(await proveOnce(request, true)) : first
}

type Attempt = RecordProof | { kind: 'again'; otherwise: RecordProof }

function settled(attempt: Attempt): RecordProof {
  return attempt.kind === 'again' ? attempt.otherwise : attempt
}

async function proveOnce(request: RecordProofRequest, fresh: boolean): Promise<Attempt> {
  const { did, collection, rkey, blobCid, resolver, client, carries, signal } = request
  const lookup = await resolver.pdsOf(did, { signal, fresh })
  if (lookup.kind !== 'found') return lookup
  const signingKey = await resolver.signingKeyOf(did, { signal })
  // The port cannot say whether the key is missing or the directory is down; asking again is the safe reading.
  if (signingKey === undefined) return { kind: 'deferred', reason: 'identity-failed' }

  const url = new URL('/xrpc/com.atproto.sync.getRecord', lookup.pds)
  url.search = new URLSearchParams({ did, collection, rkey }).toString()
  const answer = await client.get({ url, bytesMax: client.limits.carBytesMax, signal })
  switch (answer.kind) {
    case 'ok':
      break
    case 'refused':
      if (deniesAccount(answer)) {
        return { kind: 'again', otherwise: { kind: 'unavailable', reason: 'not-found' } }
      }
      if (answer.error === 'RecordNotFound') return { kind: 'not-there' }
      return { kind: 'unavailable', reason: refusalReason(answer) }
    case 'deferred':
    case 'unavailable':
      return { kind: answer.kind, reason: answer.reason }
    default:
      return answer satisfies never
  }

  const found = await readProof({ car: answer.bytes, did, collection, rkey, signingKey })
  switch (found.kind) {
    case 'record':
      return carries(found.record, blobCid)
        ? { kind: 'proved', recordCid: found.recordCid }
        : { kind: 'not-carried' }
    case 'absent':
      return { kind: 'not-there' }
    case 'not-proved':
      return { kind: 'again', otherwise: { kind: 'unavailable', reason: 'bad-answer' } }
    default:
      return found satisfies never
  }
}

type Proof =
  { kind: 'record'; recordCid: string; record: unknown } | { kind: 'absent' | 'not-proved' }

/**
 * As verifyProofs of @atproto/repo, but it gives the record and its CID. verifyRecords would give them too, and walks
 * every reachable node: a tree whose nodes repeat one child costs it exponential time, and the account's owner signs
 * whatever tree they like. A lookup goes down one path.
 */
async function readProof({
  car,
  did,
  collection,
  rkey,
  signingKey,
}: {
  car: Uint8Array
  did: Did
  collection: string
  rkey: string
  signingKey: string
}): Promise<Proof> {
  try {
    const { root, blocks } = await readCarWithRoot(car)
    const blockstore = new MemoryBlockstore(blocks)
    const commit = await blockstore.readObj(root, def.commit)
    if (commit.did !== did) return { kind: 'not-proved' }
    if (!(await verifyCommitSig(commit, signingKey))) return { kind: 'not-proved' }
    const tree = MST.load(blockstore, commit.data)
    const recordCid = await tree.get(formatDataKey(collection, rkey))
    if (recordCid === null) return { kind: 'absent' }
    const record = await blockstore.readRecord(recordCid)
    return { kind: 'record', recordCid: recordCid.toString(), record }
  } catch {
    // Not a CAR, a block missing or not what its CID names, a commit that is none: nothing is proved.
    return { kind: 'not-proved' }
  }
}
