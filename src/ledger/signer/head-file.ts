// The file of one log's newest head: JSON with a checksum, so that a cut or changed file is never taken for a head.
import { fromBase64, sameBytes, toBase64, toHex, utf8 } from '../bytes.ts'
import { parseCheckpoint } from '../note/checkpoint.ts'
import { parseNote } from '../note/note.ts'
import { sha256 } from '../platform.ts'

/** `note`: the newest note that was signed for this head. */
export type KeptHead = { origin: string; size: number; root: Uint8Array; note: string }

const version = 1

/** Origins may hold a slash; a digest is a file name anywhere. */
export function headFileName(origin: string): string {
  return toHex(sha256(utf8(origin)))
}

export function formatHeadFile({ origin, size, root, note }: KeptHead): string {
  const fields = { v: version, origin, size, root: toBase64(root), note }
  return `${JSON.stringify({ ...fields, sum: sumOf(JSON.stringify(fields)) })}\n`
}

/** The head, or in words what is wrong with the file. */
export function parseHeadFile(text: string, origin: string): KeptHead | string {
  if (!text.endsWith('\n')) return 'it is cut short'
  const fields = parseJson(text)
  if (fields === undefined) return 'it is not what was written'
  const { sum, ...rest } = fields
  if (rest['v'] !== version) return 'it has a format that this build does not know'
  if (sum !== sumOf(JSON.stringify(rest))) return 'its checksum is wrong'
  const { size, note } = rest
  const root = fromBase64(String(rest['root']))
  if (rest['origin'] !== origin) return 'it is the file of another log'
  if (typeof note !== 'string' || typeof size !== 'number' || root === undefined)
    return 'it is not what was written'
  const signed = parseCheckpoint(parseNote(note)?.text ?? '')
  if (signed?.origin !== origin || signed.size !== size || !sameBytes(signed.root, root))
    return 'its note is of another head'
  return { origin, size, root, note }
}

function sumOf(text: string): string {
  return toHex(sha256(utf8(text)))
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
