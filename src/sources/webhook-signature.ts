// Standard Webhooks signatures (https://www.standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`, five minutes of tolerance.
//
// The library signs; time and comparison are ours: its `verify` reads the system clock and takes `12abc` for a timestamp.
import { timingSafeEqual } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { UsageError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'

export const toleranceSeconds = 300
const signaturesMax = 8
/** No full stop: it divides the three signed parts, and an id with one could be read as another id and time. */
const idPattern = /^[!-\-/-~]{1,256}$/
const secretBytes = { min: 24, max: 64 }

export type Delivery = { id: string; body: string }

/** A function that returns the delivery when one of the secrets signed exactly these bytes just now, else undefined. */
export function createVerifier(
  secrets: string[],
  clock: Clock,
): (headers: Headers, body: Uint8Array) => Delivery | undefined {
  if (secrets.length === 0 || secrets.length > 2) {
    throw new UsageError('one webhook secret is needed, two at most')
  }
  const signers = secrets.map(signerOf)

  return (headers, bytes) => {
    const id = headers.get('webhook-id') ?? ''
    const sentAt = parseTimestamp(headers.get('webhook-timestamp') ?? '', clock())
    const body = utf8(bytes)
    if (!idPattern.test(id) || sentAt === undefined || body === undefined) return undefined
    const given = (headers.get('webhook-signature') ?? '').split(' ').slice(0, signaturesMax)
    const expected = signers.map((signer) => signer.sign(id, sentAt, body))
    // No early end: which of them matched is not to be seen from the time it took.
    const matches = expected.flatMap((one) => given.filter((other) => sameText(one, other)))
    return matches.length > 0 ? { id, body } : undefined
  }
}

function signerOf(secret: string): Webhook {
  const encoded = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1]
  const length = encoded === undefined ? 0 : Buffer.from(encoded, 'base64').length
  if (encoded === undefined || length < secretBytes.min || length > secretBytes.max) {
    throw new UsageError('a webhook secret is whsec_ and the base64 of 24 to 64 bytes')
  }
  return new Webhook(Buffer.from(encoded, 'base64'), { format: 'raw' })
}

function parseTimestamp(text: string, nowMs: number): Date | undefined {
  if (!/^[1-9]\d{0,11}$/.test(text)) return undefined
  const seconds = Number(text)
  const off = Math.abs(Math.floor(nowMs / 1000) - seconds)
  return off <= toleranceSeconds ? new Date(seconds * 1000) : undefined
}

/** Only bytes that are exactly one text: the library signs texts, and two broken ones could become the same. */
function utf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
