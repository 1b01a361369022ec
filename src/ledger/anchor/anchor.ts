// Who outside holds our heads: the port that witnesses, records and time stamps share.
//
// `submit` is idempotent and settles with a value for whatever the other side does; it rejects only when `prove` does.
// `newest` rejects with RetryableError when the other side is away. Neither retries by itself, both are bounded in time
// and bytes, both may be called concurrently. Reasons never hold what the other side sent.
import type { NoteSignature } from '../note/note.ts'

export type SubmittedHead = {
  origin: string
  size: number
  root: Uint8Array
  /** The signed note. */
  note: string
  /** The consistency proof from `old`, at most `size`, to `size`. */
  prove(old: number): Promise<Uint8Array[]>
}

export type AnchorOutcome =
  /** `body`: what to keep of it; empty for a witness, whose `signature` goes into the note. */
  | { kind: 'anchored'; who: string; body: Uint8Array; signature?: NoteSignature }
  /** They hold a head that ours does not continue: an alarm, never a retry. */
  | { kind: 'conflict'; who: string; theirSize: number; reason: string }
  | { kind: 'failed'; who: string; reason: string }

export type Anchor = {
  kind: 'witness' | 'record' | 'timestamp'
  who: string
  everyMs: number
  /** What that party holds of us; undefined: nothing, or it cannot say. */
  newest(
    origin: string,
    signal: AbortSignal,
  ): Promise<{ size: number; root?: Uint8Array } | undefined>
  submit(head: SubmittedHead, signal: AbortSignal): Promise<AnchorOutcome>
}

/** Often enough that a head is with the witnesses within the minute that the ledger promises. */
export const anchorEveryMs = { witness: 20_000, record: 3_600_000, timestamp: 86_400_000 } as const
