// The file in a form (multipart/form-data, RFC 7578), out of bytes that are already bounded.
//
// Ours instead of the platform's `formData()`, which makes an object of every part before anybody can say stop: a form of
// 20 MB can have half a million.
import { boundaryOf } from '../form-boundary.ts'

export const formLimits = { partsMax: 16, headerBytesMax: 4_096 } as const

export type FormFile =
  | { kind: 'file'; bytes: Uint8Array; contentType?: string }
  /** The body is no form at all. */
  | { kind: 'no-form' }
  | { kind: 'refused'; sentence: string }

/** The first part that has one of `names`. */
export function fileOfForm(body: Buffer, contentType: string, names: readonly string[]): FormFile {
  const boundary = boundaryOf(contentType)
  if (boundary === undefined) return { kind: 'no-form' }
  const mark = Buffer.from(`--${boundary}`)
  let at = body.indexOf(mark)
  for (let parts = 0; at >= 0; parts += 1) {
    if (parts > formLimits.partsMax)
      return refused(`The form has more than ${formLimits.partsMax} parts.`)
    at += mark.length
    if (body.subarray(at, at + 2).equals(dashes)) break
    const headersEnd = body.indexOf('\r\n\r\n', at)
    if (headersEnd < 0 || headersEnd - at > formLimits.headerBytesMax)
      return refused('A part of the form has no headers, or too many.')
    const end = body.indexOf(`\r\n--${boundary}`, headersEnd + 2)
    if (end < 0) return refused('The form ends in the middle of a part. Send it again.')
    const headers = body.toString('latin1', at, headersEnd)
    if (names.includes(nameOf(headers) ?? '')) return file(body, headersEnd + 4, end, headers)
    at = end + 2
  }
  return refused(`The form has no part ${names.join(' or ')}: name the part with the file so.`)
}

const dashes = Buffer.from('--')

function refused(sentence: string): FormFile {
  return { kind: 'refused', sentence }
}

function nameOf(headers: string): string | undefined {
  return /^content-disposition:\s*form-data\s*;[^\r\n]*?\bname="([^"\r\n]*)"/im.exec(headers)?.[1]
}

/** An empty part ends where its headers do. */
function file(body: Buffer, from: number, end: number, headers: string): FormFile {
  const [, contentType] = /^content-type:\s*([^\s;]{1,127})/im.exec(headers) ?? []
  const bytes = body.subarray(Math.min(from, end), end)
  return { kind: 'file', bytes, ...(contentType !== undefined && { contentType }) }
}
