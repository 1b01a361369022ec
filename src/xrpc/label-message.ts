// The one place that turns a stored label into what goes over the wire.
import type { StoredLabel } from '../labeler/label-store.ts'

/** com.atproto.label.defs#label. `sig` becomes CBOR bytes in a frame and `{"$bytes": …}` in JSON. */
export type WireLabel = {
  ver: 1
  src: string
  uri: string
  cid?: string
  val: string
  neg?: true
  cts: string
  sig: Uint8Array
}

/** Absent fields and `neg: false` are left out, as they were when the label was signed. */
export function toWireLabel(label: StoredLabel): WireLabel {
  return {
    ver: 1,
    src: label.src,
    uri: label.uri,
    ...(label.cid === undefined ? {} : { cid: label.cid }),
    val: label.val,
    ...(label.neg ? { neg: true as const } : {}),
    cts: label.cts,
    sig: Uint8Array.from(Buffer.from(label.sigHex, 'hex')),
  }
}

/** One label a frame, as Ozone does: a consumer's cursor is then exact. */
export function toLabelsMessage(label: StoredLabel): {
  $type: '#labels'
  seq: number
  labels: WireLabel[]
} {
  return { $type: '#labels', seq: label.seq, labels: [toWireLabel(label)] }
}
