// What to do with a blob of an account, as an AppView asks: many pairs in one statement, by indexes only.
//
// hide: taken down there (its intent is an entry), or a person confirmed its case. blur: it waits for a person, or for its
// turn. show: scanned and clear, let go by a person, or only observed. unscanned: never seen, waiting, or not decided
// anywhere yet. unscannable: why is the reason. Nothing about what it matched (promise 9).
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'

export const blobStates = ['show', 'hide', 'blur', 'unscanned', 'unscannable'] as const
export type BlobState = (typeof blobStates)[number]

/** `digest`: of the CID. */
export type Pair = { did: string; digest: Hex }
export type StateRow = { state: BlobState; reason: string; since: Date | null }

/** One answer a pair, in their order. */
export async function readBlobStates(db: Database, pairs: readonly Pair[]): Promise<StateRow[]> {
  const digests = pairs.map(({ digest }) => digest)
  const dids = pairs.map(({ did }) => did)
  return ask(
    'read what to do with blobs',
    db<StateRow[]>`
      select state, reason, since
      from blob_states_v1(${digests}::text[], ${dids}::text[])`,
  )
}
