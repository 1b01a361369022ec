// What goes over the signer's socket: HTTP with JSON. Roots and hashes are base64, sizes are whole numbers.
//
//   GET  /head?origin=O   200 { head: { size, root } | null }
//   GET  /key[?origin=O]  200 { verifierKey }
//   POST /sign            200 { note } | 409 { reason, head }, for { origin, old, size, root, proof: [] }
//
//   400 a request that is none, 404 an origin that is not this signer's, 500 its head is not known, 503 not now:
//   all with { reason }.
import { fromBase64, toBase64 } from '../bytes.ts'
import { hashBytes } from '../platform.ts'
import type { Head } from './head-keeper.ts'
import type { SignAnswer, SignRequest } from './signer.ts'

/** `proofHashes`: a consistency proof of the largest tree (2^53) is shorter. */
export const signerLimits = {
  bodyBytes: 16 * 1024,
  proofHashes: 63,
  originBytes: 256,
  requestMs: 10_000,
  connections: 32,
} as const

export type Json = Record<string, unknown>

/** The request, or in words what is wrong with it. Every field is there and nothing else. */
export function parseSignRequest(value: unknown): SignRequest | string {
  const fields = asObject(value)
  if (fields === undefined) return 'a request is a JSON object'
  const names = ['origin', 'old', 'size', 'root', 'proof']
  const stranger = Object.keys(fields).find((name) => !names.includes(name))
  if (stranger !== undefined) return 'there is a field that a request does not have'
  const { origin, old, size, proof } = fields
  const root = parseHash(fields['root'])
  if (!isOrigin(origin)) return 'origin is a short text of one line'
  if (!isSize(old) || !isSize(size)) return 'old and size are whole numbers'
  if (root === undefined) return 'root is 32 bytes in base64'
  if (!Array.isArray(proof) || proof.length > signerLimits.proofHashes)
    return `proof is a list of at most ${signerLimits.proofHashes} hashes`
  const hashes = proof.map(parseHash)
  if (hashes.some((hash) => hash === undefined)) return 'each hash is 32 bytes in base64'
  return { origin, old, size, root, proof: hashes as Uint8Array[] }
}

export function formatSignRequest({ origin, old, size, root, proof }: SignRequest): Json {
  return { origin, old, size, root: toBase64(root), proof: proof.map(toBase64) }
}

export function formatHead(head: Head | undefined): Json | null {
  return head === undefined ? null : { size: head.size, root: toBase64(head.root) }
}

/** Throws TypeError for what is no answer of a signer. */
export function parseSignAnswer(status: number, body: Json): SignAnswer {
  const { note, reason } = body
  if (status === 200 && typeof note === 'string') return { kind: 'signed', note }
  if (status === 409 && typeof reason === 'string')
    return { kind: 'refused', reason, head: parseHead(body) }
  throw new TypeError('this is no answer of a signer')
}

/** Throws TypeError for what is no head. */
export function parseHead(body: Json): Head | undefined {
  if (body['head'] === null) return undefined
  const head = asObject(body['head'])
  const root = parseHash(head?.['root'])
  const size = head?.['size']
  if (!isSize(size) || root === undefined) throw new TypeError('this is no head of a signer')
  return { size, root }
}

export function asObject(value: unknown): Json | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Json)
    : undefined
}

function isOrigin(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length <= signerLimits.originBytes &&
    /^[^\s+]+$/u.test(value)
  )
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function parseHash(value: unknown): Uint8Array | undefined {
  const bytes = typeof value === 'string' ? fromBase64(value) : undefined
  return bytes?.length === hashBytes ? bytes : undefined
}
