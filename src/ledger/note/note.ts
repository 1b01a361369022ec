// C2SP signed-note: a text, a blank line, and lines of signatures.
//
// Promises: what is parsed is exactly one note, or undefined; a text is handed out as verified only when a known key
// signed it and no signature of a known key is wrong. Unknown keys and types of signatures are passed over.
import { fromBase64, join, textOf, toBase64, utf8 } from '../bytes.ts'
import { isKeyName, verifyKeySignature } from './key.ts'
import type { VerifierKey } from './key.ts'

export const noteLimits = { bytes: 1_000_000, signatures: 64 } as const

/** `keyId`: 4 bytes as a number. `signature`: what follows the key id. */
export type NoteSignature = { name: string; keyId: number; signature: Uint8Array }
/** `text` ends with its newline. */
export type Note = { text: string; signatures: NoteSignature[] }

const separator = '\n\n'

/** undefined: not a signed note. */
export function parseNote(source: string | Uint8Array): Note | undefined {
  const whole = typeof source === 'string' ? source : textOf(source)
  if (whole === undefined || whole.length > noteLimits.bytes || !whole.isWellFormed())
    return undefined
  // Control characters would let two readers see two texts.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u0009\u000b-\u001f]/.test(whole) || !whole.endsWith('\n')) return undefined
  const split = whole.lastIndexOf(separator)
  if (split < 0) return undefined
  const lines = whole.slice(split + separator.length, -1).split('\n')
  if (lines.length > noteLimits.signatures) return undefined
  const signatures = lines.map(parseSignature)
  if (signatures.some((signature) => signature === undefined)) return undefined
  return { text: whole.slice(0, split + 1), signatures: signatures as NoteSignature[] }
}

/** One line, with or without its newline; undefined when it is none. */
export function parseSignature(line: string): NoteSignature | undefined {
  const [, name, base64] = /^\u2014 ([^ \n]+) ([^ \n]+)\n?$/u.exec(line) ?? []
  if (name === undefined || base64 === undefined || !isKeyName(name)) return undefined
  const bytes = fromBase64(base64)
  if (bytes === undefined || bytes.length < 5) return undefined
  return {
    name,
    keyId: new DataView(bytes.buffer).getUint32(0),
    signature: bytes.subarray(4),
  }
}

export function formatSignature({ name, keyId, signature }: NoteSignature): string {
  const id = new Uint8Array(4)
  new DataView(id.buffer).setUint32(0, keyId)
  return `\u2014 ${name} ${toBase64(join(id, signature))}\n`
}

export function formatNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(formatSignature).join('')}`
}

export type NoteVerdict =
  /** `by`: the known keys that signed, each once. `atSeconds`: what a cosignature says of its time. */
  | { kind: 'verified'; by: { key: VerifierKey; atSeconds?: number }[] }
  | { kind: 'unsigned' }
  | { kind: 'wrong'; name: string }

/** Unknown signatures are ignored; one wrong signature of a known key spoils the whole note. */
export function verifyNote(note: Note, keys: readonly VerifierKey[]): NoteVerdict {
  const by = new Map<VerifierKey, number | undefined>()
  for (const signature of note.signatures) {
    const key = keys.find((one) => one.name === signature.name && one.keyId === signature.keyId)
    if (key === undefined || by.has(key)) continue
    const checked = verifyKeySignature(key, {
      text: utf8(note.text),
      signature: signature.signature,
    })
    if (!checked.holds) return { kind: 'wrong', name: key.name }
    by.set(key, checked.atSeconds)
  }
  if (by.size === 0) return { kind: 'unsigned' }
  return {
    kind: 'verified',
    by: [...by].map(([key, atSeconds]) => ({ key, ...(atSeconds !== undefined && { atSeconds }) })),
  }
}
