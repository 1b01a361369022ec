// The newest head as a record in the operator's own repository: every relay and archive that copies it is a witness.
//
// A record counts only by the note in it, signed by the log: whoever else may write to the account anchors nothing, and
// can make no false alarm. Reading needs no session, so that an outsider does the same with one query.
import { RetryableError, errorMessage } from '../../domain/errors.ts'
import { sameBytes, toBase64 } from '../bytes.ts'
import { openCheckpoint, signedByLog } from '../note/checkpoint.ts'
import type { Checkpoint } from '../note/checkpoint.ts'
import { parseVerifierKey } from '../note/key.ts'
import type { VerifierKey } from '../note/key.ts'
import { originHashOf } from '../witness/witness.ts'
import { createAccount } from './account.ts'
import type { Account, AccountSettings, Json } from './account.ts'
import { anchorEveryMs } from './anchor.ts'
import type { Anchor, AnchorOutcome, SubmittedHead } from './anchor.ts'

export const checkpointCollection = 'org.blobwatch.ledger.checkpoint'
/** `pages`: beyond so many records that are not ours, under our keys, the repository cannot say. */
export const recordLimits = { perPage: 100, pages: 10 } as const

const sizeDigits = 16

/** `verifierKey`: the log's own, from its signer. */
export function createRecordAnchor(options: {
  account: AccountSettings
  verifierKey: (origin: string) => Promise<string>
  nowMs: () => number
}): Anchor {
  const account = createAccount(options.account)
  const repo = options.account.did
  const who = `at://${repo}/${checkpointCollection}`

  const newest = async (origin: string, signal: AbortSignal): Promise<Checkpoint | undefined> => {
    const key = parseVerifierKey(await options.verifierKey(origin))
    if (typeof key === 'string') throw new RetryableError(`the signer's key: ${key}`)
    return await newestRecord(account, { repo, origin, key, signal })
  }

  const put = async (head: SubmittedHead, signal: AbortSignal): Promise<AnchorOutcome> => {
    const rkey = recordKeyOf(head.origin, head.size)
    const record = {
      $type: checkpointCollection,
      origin: head.origin,
      size: head.size,
      root: toBase64(head.root),
      note: head.note,
      createdAt: new Date(options.nowMs()).toISOString(),
    }
    const answer = await account.procedure(
      'com.atproto.repo.putRecord',
      (did) => ({ repo: did, collection: checkpointCollection, rkey, record }),
      signal,
    )
    const { uri, cid } = answer
    if (typeof uri !== 'string' || typeof cid !== 'string')
      throw new RetryableError('com.atproto.repo.putRecord was answered without a record')
    const body = Buffer.from(JSON.stringify({ ...record, uri, cid }))
    return { kind: 'anchored', who, body: Uint8Array.from(body) }
  }

  return {
    kind: 'record',
    who,
    everyMs: anchorEveryMs.record,
    newest,
    async submit(head, signal) {
      try {
        const theirs = await newest(head.origin, signal)
        return (theirs && conflictOf(who, theirs, head)) ?? (await put(head, signal))
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        return { kind: 'failed', who, reason: errorMessage(error) }
      }
    },
  }
}

/** Ordered by size within a log, and apart from the log that was recovered from it. */
export function recordKeyOf(origin: string, size: number): string {
  return `${recordPrefixOf(origin)}-${String(size).padStart(sizeDigits, '0')}`
}

function recordPrefixOf(origin: string): string {
  return originHashOf(origin).slice(0, 16)
}

async function newestRecord(
  account: Account,
  {
    repo,
    origin,
    key,
    signal,
  }: { repo: string; origin: string; key: VerifierKey; signal: AbortSignal },
): Promise<Checkpoint | undefined> {
  const prefix = recordPrefixOf(origin)
  // Listed from the highest key down; a tilde is above every digit and hyphen.
  let cursor = `${prefix}~`
  for (let page = 0; page < recordLimits.pages; page += 1) {
    const answer = await account.query(
      'com.atproto.repo.listRecords',
      { repo, collection: checkpointCollection, limit: String(recordLimits.perPage), cursor },
      signal,
    )
    const records: unknown[] = Array.isArray(answer['records']) ? answer['records'] : []
    for (const record of records) {
      const { uri, value } = (record ?? {}) as Json
      const rkey = String(uri).split('/').at(-1) ?? ''
      if (!rkey.startsWith(prefix)) return undefined
      const checkpoint = checkpointOf(value, origin, key)
      if (checkpoint !== undefined && rkey === recordKeyOf(origin, checkpoint.size))
        return checkpoint
    }
    if (typeof answer['cursor'] !== 'string' || records.length === 0) return undefined
    cursor = answer['cursor']
  }
  return undefined
}

function checkpointOf(value: unknown, origin: string, key: VerifierKey): Checkpoint | undefined {
  const { note } = (value ?? {}) as Json
  const opened = typeof note === 'string' ? openCheckpoint(note, [key]) : 'no note'
  if (typeof opened === 'string' || !signedByLog(opened)) return undefined
  return opened.checkpoint.origin === origin ? opened.checkpoint : undefined
}

function conflictOf(
  who: string,
  theirs: Checkpoint,
  head: SubmittedHead,
): AnchorOutcome | undefined {
  const conflict = (reason: string): AnchorOutcome => ({
    ...{ kind: 'conflict', who, theirSize: theirs.size, reason },
  })
  if (theirs.size > head.size)
    return conflict('the repository has a larger tree that our key signed')
  if (theirs.size === head.size && !sameBytes(theirs.root, head.root))
    return conflict('the repository has another root at this size that our key signed')
  return undefined
}
