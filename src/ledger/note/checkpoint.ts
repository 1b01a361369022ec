// C2SP tlog-checkpoint: the head of a log as the text of a signed note.
import { fromBase64, parseDecimal, toBase64 } from '../bytes.ts'
import { hashBytes } from '../platform.ts'
import { parseNote, verifyNote } from './note.ts'
import type { Note, NoteVerdict } from './note.ts'
import type { VerifierKey } from './key.ts'

/** `root`: 32 bytes. `extensions`: further lines that the log may have added; nobody here does. */
export type Checkpoint = { origin: string; size: number; root: Uint8Array; extensions: string[] }

export function formatCheckpoint(head: { origin: string; size: number; root: Uint8Array }): string {
  return `${head.origin}\n${head.size}\n${toBase64(head.root)}\n`
}

/** undefined: not the text of a checkpoint. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  if (!text.endsWith('\n')) return undefined
  const [origin, sizeText, rootText, ...extensions] = text.slice(0, -1).split('\n')
  const size = parseDecimal(sizeText ?? '')
  const root = fromBase64(rootText ?? '')
  if (origin === undefined || origin === '' || size === undefined) return undefined
  if (root === undefined || root.length !== hashBytes) return undefined
  if (extensions.some((line) => line === '')) return undefined
  return { origin, size, root, extensions }
}

export type SignedCheckpoint = { checkpoint: Checkpoint; note: Note; verdict: NoteVerdict }

/** The checkpoint of a signed note and who signed it; or in words why it is none. Trust `verdict`, not the text alone. */
export function openCheckpoint(
  source: string | Uint8Array,
  keys: readonly VerifierKey[],
): SignedCheckpoint | string {
  const note = parseNote(source)
  if (note === undefined) return 'this is not a signed note'
  const checkpoint = parseCheckpoint(note.text)
  if (checkpoint === undefined) return 'the note is not a checkpoint'
  return { checkpoint, note, verdict: verifyNote(note, keys) }
}

/** Whether the log itself signed: a key of type log, named as the origin. */
export function signedByLog({ checkpoint, verdict }: SignedCheckpoint): boolean {
  return (
    verdict.kind === 'verified' &&
    verdict.by.some(({ key }) => key.type === 'log' && key.name === checkpoint.origin)
  )
}
