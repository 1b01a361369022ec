// That one entry is in the log: a proof (C2SP tlog-proof) under the newest signed checkpoint. Reads only.
import type { Database } from '../db/client.ts'
import { FatalError } from '../domain/errors.ts'
import { parseCheckpoint } from '../ledger/note/checkpoint.ts'
import { parseNote } from '../ledger/note/note.ts'
import { formatTlogProof } from '../ledger/note/tlog-proof.ts'
import { readEntries, readHead } from '../ledger/read-ledger.ts'
import { createTileReader } from '../ledger/tile-store.ts'
import { createProver } from '../ledger/tree/prove.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import { verifyInclusion } from '../ledger/tree/verify-proof.ts'
import { newestCheckpoint } from '../steps/checkpoints.ts'

export type ProvedEntry =
  /** `entry`: its bytes. `size`: of the checkpoint. */
  | { kind: 'proved'; size: number; entry: Uint8Array; proof: string }
  /** Signed within a minute. */
  | { kind: 'not-signed-yet' }
  | { kind: 'no-such-entry'; size: number }

/** Throws FatalError when what is stored is not what was signed. */
export async function proveEntry(db: Database, seq: number): Promise<ProvedEntry> {
  const head = await readHead(db)
  const checkpoint = head && (await newestCheckpoint(db, { origin: head.log }))
  const size = checkpoint?.size ?? 0
  if (checkpoint === undefined || seq >= size)
    return seq < (head?.size ?? 0)
      ? { kind: 'not-signed-yet' }
      : { kind: 'no-such-entry', size: head?.size ?? 0 }
  const [stored] = (await readEntries(db, { from: seq, to: seq + 1 }).next()).value ?? []
  const entry = stored?.bytes ?? new Uint8Array(0)
  const signed = parseCheckpoint(parseNote(checkpoint.note)?.text ?? '')
  const proof = await createProver(createTileReader(db), size).inclusion(seq, size)
  const leafHash = leafHashOf(entry)
  if (
    signed === undefined ||
    !verifyInclusion({ index: seq, size, leafHash, root: signed.root, proof })
  )
    throw new FatalError(`entry ${seq} is not what was signed: run ledger verify`)
  const text = formatTlogProof({ index: seq, proof, note: checkpoint.note })
  return { kind: 'proved', size, entry, proof: text }
}
