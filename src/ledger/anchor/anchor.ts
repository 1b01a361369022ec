// Whoever holds checkpoints of this ledger for others: a witness, the operator's own repository, a time-stamping authority.
import type { NoteSignature } from '../note/note.ts'

export type AnchorOutcome =
  /** `body`: what is kept of it; empty for a witness, whose signature goes into the note. */
  | { kind: 'anchored'; who: string; body: Uint8Array; signature?: NoteSignature }
  /** That party holds another ledger of this name: an alarm. */
  | { kind: 'conflict'; who: string; theirSize: number; reason: string }
  | { kind: 'failed'; who: string; reason: string }

export type Anchor = {
  kind: 'witness' | 'record' | 'timestamp'
  who: string
  /** Not more often than this. */
  everyMs: number
  /** What that party holds of the log; undefined: nothing, or it cannot say. Rejects with RetryableError when it is away. */
  newest(
    origin: string,
    signal: AbortSignal,
  ): Promise<{ size: number; root?: Uint8Array } | undefined>
  /** Safe to repeat. Never throws for what the other side does. */
  submit(
    head: {
      origin: string
      size: number
      root: Uint8Array
      note: string
      /** Consistency from an older size to this one. */
      prove(old: number): Promise<Uint8Array[]>
    },
    signal: AbortSignal,
  ): Promise<AnchorOutcome>
}
