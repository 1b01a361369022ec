// What may stand in a label. Only the form is checked here; that no value names a restricted bank (promise 9)
// is decided where a bank's policy is set, because only there the bank's class is known.
import type { LabelInput } from '../domain/ports.ts'
import { PermanentError } from '../domain/errors.ts'

/** com.atproto.label.defs#label: `val` has at most 128 bytes. */
export const labelValueBytesMax = 128
export const labelUriBytesMax = 4096

/** A label as it is signed: `exp` is in the lexicon; we never set it but verify what others did. */
export type UnsignedLabel = LabelInput & { exp?: string }

/** Ozone refuses a space and , ; ' " in a value; so do we, and anything that does not print. */
export function isLabelValue(val: string): boolean {
  return (
    val.length > 0 &&
    Buffer.byteLength(val) <= labelValueBytesMax &&
    val.isWellFormed() &&
    !/[\s,;'"\p{C}]/u.test(val)
  )
}

/** Throws PermanentError naming the field, never its content. */
export function assertLabel(label: UnsignedLabel): void {
  if (!isLabelValue(label.val)) {
    throw new PermanentError(
      `a label value has 1 to ${labelValueBytesMax} bytes without spaces, commas, semicolons or quotes`,
    )
  }
  if (!/^(at:\/\/|did:)\S+$/.test(label.uri) || Buffer.byteLength(label.uri) > labelUriBytesMax) {
    throw new PermanentError('a label is about an at:// URI or a DID')
  }
  if (!isDatetime(label.cts) || (label.exp !== undefined && !isDatetime(label.exp))) {
    throw new PermanentError('a label time is an ISO 8601 date and time with a zone')
  }
}

function isDatetime(text: string): boolean {
  return (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text) &&
    !Number.isNaN(Date.parse(text))
  )
}
