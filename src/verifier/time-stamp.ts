// What an RFC 3161 time stamp says: which hash, and when. The authority's own signature is left to `openssl ts -verify`.
import { sameBytes } from '../ledger/bytes.ts'

/** `isResponse`: a whole TimeStampResp rather than its token alone. `genTime` as it stands: 20261121032000Z. */
export type TimeStamp = { imprint: Uint8Array; genTime: string; isResponse: boolean }

type Node = { tag: number; body: Uint8Array }

const sequence = 0x30
const octets = 0x04
const objectId = 0x06
const context0 = 0xa0
const generalizedTime = 0x18
const sha256Oid = Uint8Array.of(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01)
const signedDataOid = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02)
const tstInfoOid = Uint8Array.of(
  ...[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04],
)

/** undefined: not a granted time stamp over a SHA-256 hash in DER. */
export function parseTimeStamp(der: Uint8Array): TimeStamp | undefined {
  const whole = only(der, sequence)
  const parts = whole && readAll(whole)
  const isResponse = parts?.[0]?.tag === sequence
  const content = isResponse ? parts?.[1] && readAll(parts[1].body) : parts
  const [type, wrapped] = content ?? []
  if (!isOid(type, signedDataOid) || wrapped?.tag !== context0) return undefined
  const signedData = only(wrapped.body, sequence)
  const encapsulated = signedData && readAll(signedData)?.[2]
  const [infoType, infoWrapped] = (encapsulated && readAll(encapsulated.body)) ?? []
  if (!isOid(infoType, tstInfoOid) || infoWrapped?.tag !== context0) return undefined
  const text = only(infoWrapped.body, octets)
  const info = text && only(text, sequence)
  const [, , imprintPart, , time] = (info && readAll(info)) ?? []
  if (imprintPart?.tag !== sequence || time?.tag !== generalizedTime) return undefined
  const [algorithm, imprint] = readAll(imprintPart.body) ?? []
  const isSha256 = algorithm !== undefined && isOid(readAll(algorithm.body)?.[0], sha256Oid)
  if (!isSha256 || imprint?.tag !== octets || imprint.body.length !== 32) return undefined
  return {
    imprint: imprint.body,
    genTime: String.fromCharCode(...time.body.subarray(0, 32)),
    isResponse,
  }
}

function isOid(node: Node | undefined, oid: Uint8Array): boolean {
  return node?.tag === objectId && sameBytes(node.body, oid)
}

/** The one value that these bytes are, if it has this tag. */
function only(bytes: Uint8Array, tag: number): Uint8Array | undefined {
  const all = readAll(bytes)
  return all?.length === 1 && all[0]?.tag === tag ? all[0].body : undefined
}

/** The values that stand one after the other; undefined when the bytes are not exactly such. */
function readAll(bytes: Uint8Array): Node[] | undefined {
  const nodes: Node[] = []
  let at = 0
  while (at < bytes.length) {
    const tag = bytes[at] as number
    let length = bytes[at + 1]
    let from = at + 2
    if (length === undefined) return undefined
    if (length > 0x84 || length === 0x80) return undefined
    if (length > 0x80) {
      const count = length - 0x80
      length = 0
      for (let i = 0; i < count; i += 1) length = length * 256 + (bytes[from + i] ?? 0)
      // DER: the shortest form of a length, and no other.
      if (length < 0x80 || length < 256 ** (count - 1)) return undefined
      from += count
    }
    if (from + length > bytes.length) return undefined
    nodes.push({ tag, body: bytes.subarray(from, from + length) })
    at = from + length
  }
  return nodes
}
