// C2SP tlog-witness: the body of add-checkpoint, and what a witness answers. Pure; both sides use it.
import { fromBase64, parseDecimal, textOf, toBase64 } from '../bytes.ts'
import { parseCheckpoint } from '../note/checkpoint.ts'
import type { Checkpoint } from '../note/checkpoint.ts'
import { parseNote } from '../note/note.ts'
import type { Note } from '../note/note.ts'
import { hashBytes } from '../platform.ts'

/** `proofLines`: as the specification has it. `bodyBytes`: 64 signatures of the largest known kind fit. */
export const addCheckpointLimits = {
  proofLines: 63,
  bodyBytes: 256 * 1024,
  answerBytes: 64 * 1024,
} as const
export const sizeContentType = 'text/x.tlog.size'

export type AddCheckpoint = { old: number; proof: Uint8Array[]; note: Note; checkpoint: Checkpoint }

/** The request, or in words what is wrong with it. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint | string {
  const text = textOf(body)
  if (text === undefined) return 'the body is not UTF-8'
  const blank = text.indexOf('\n\n')
  if (blank < 0) return 'there is no empty line'
  const [oldLine, ...proofLines] = text.slice(0, blank).split('\n')
  const old = parseDecimal(/^old (\d+)$/.exec(oldLine ?? '')?.[1] ?? '')
  if (old === undefined) return 'the first line is not an old size'
  if (proofLines.length > addCheckpointLimits.proofLines) return 'there are too many proof lines'
  const proof = proofLines.map(parseHash)
  if (proof.some((hash) => hash === undefined)) return 'a proof line is not a hash in base64'
  const note = parseNote(text.slice(blank + 2))
  if (note === undefined) return 'what follows the empty line is not a signed note'
  const checkpoint = parseCheckpoint(note.text)
  if (checkpoint === undefined) return 'the note is not a checkpoint'
  return { old, proof: proof as Uint8Array[], note, checkpoint }
}

/** `note`: the signed note as it stands. */
export function formatAddCheckpoint(input: {
  old: number
  proof: readonly Uint8Array[]
  note: string
}): string {
  const lines = input.proof.map((hash) => `${toBase64(hash)}\n`).join('')
  return `old ${input.old}\n${lines}\n${input.note}`
}

function parseHash(line: string): Uint8Array | undefined {
  const bytes = fromBase64(line)
  return bytes?.length === hashBytes ? bytes : undefined
}
