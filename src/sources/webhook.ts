// POST /api/v1/webhook/atproto-callback: another service tells us of an upload.
//
// Promises: nothing of a request is believed, parsed or answered in detail before its signature holds (order: size, timestamp,
// HMAC, then parse and take); one delivery id is taken once; a failed authentication always gets the same 401; 202 means durable.
// Assumes: the listener bounds headers and idle time. A crash before the answer makes the sender retry, which ends in `duplicate`.
import { STATUS_CODES } from 'node:http'
import { Hono, type Context } from 'hono'
import { emptyBatch, type TakeIn } from '../domain/batch.ts'
import { RetryableError } from '../domain/errors.ts'
import type { Clock } from '../domain/ports.ts'
import { parseCallback, type Callback } from './webhook-payload.ts'
import { createVerifier } from './webhook-signature.ts'

export const webhookLimits = { bodyBytesMax: 65_536, bodyMs: 10_000, retryAfterSeconds: 5 }

/** What `readBytes` of the http room does. */
export type ReadBody = (
  request: Request,
  limits: { bytesMax: number; ms: number },
) => Promise<{ kind: 'read'; bytes: Uint8Array } | { kind: 'too-large' } | { kind: 'incomplete' }>

export type WebhookOptions = {
  readBody: ReadBody
  /** One or two `whsec_…` secrets; two while the sender changes from one to the other. */
  secrets: string[]
  takeIn: TakeIn
  clock: Clock
  /** False while the disk is low: the sender is asked to come back. */
  intakeAllowed?(): boolean
  limits?: Partial<typeof webhookLimits>
}

const endpoint = 'atproto-callback'

/** Throws UsageError when the secrets are not well formed. */
export function createWebhookApp(options: WebhookOptions): Hono {
  const { readBody, takeIn, clock } = options
  const limits = { ...webhookLimits, ...options.limits }
  const verify = createVerifier(options.secrets, clock)
  const app = new Hono()

  app.post(`/api/v1/webhook/${endpoint}`, async (c) => {
    const { bodyBytesMax: bytesMax, bodyMs: ms } = limits
    const read = await readBody(c.req.raw, { bytesMax, ms })
    if (read.kind === 'too-large') {
      return problem(c, 413, `The body is larger than ${limits.bodyBytesMax} bytes.`)
    }
    if (read.kind === 'incomplete') return problem(c, 408, 'The body did not arrive in time.')
    const delivery = verify(c.req.raw.headers, read.bytes)
    if (delivery === undefined) {
      c.header('WWW-Authenticate', 'StandardWebhooks')
      return problem(
        c,
        401,
        'The webhook signature is missing, expired or not valid: sign as Standard Webhooks does, with BLOBWATCH_WEBHOOK_SECRET.',
      )
    }
    const parsed = parseCallback(delivery.body)
    if (parsed.kind === 'refused') return problem(c, parsed.status, parsed.sentence)
    if (parsed.kind === 'ignored')
      return c.json({ status: 'ignored', detail: parsed.sentence }, 202)
    if (options.intakeAllowed?.() === false) return away(c, limits)
    return take(c, delivery.id, parsed)
  })
  return app

  async function take(c: Context, id: string, callback: Callback): Promise<Response> {
    const { contentId, sightings, urls } = callback
    const delivery = { endpoint, id, ...(contentId === undefined ? {} : { contentId }) }
    try {
      const outcome = await takeIn({ ...emptyBatch(), delivery, sightings, urls })
      if (outcome === 'duplicate') return c.json({ status: 'duplicate', id }, 200)
      if (outcome === 'fenced') return away(c, limits)
      return c.json({ status: 'accepted', id }, 202)
    } catch (error) {
      if (error instanceof RetryableError) return away(c, limits)
      throw error
    }
  }
}

function away(c: Context, limits: typeof webhookLimits): Response {
  c.header('Retry-After', String(limits.retryAfterSeconds))
  return problem(c, 503, 'Intake is stopped for the moment. Send the same delivery again later.')
}

const codes = {
  400: 'not-json',
  401: 'no-signature',
  408: 'too-slow',
  413: 'too-large',
  422: 'invalid-fields',
  503: 'not-now',
} as const

/** RFC 9457. */
function problem(c: Context, status: keyof typeof codes, detail: string): Response {
  // Set by the listener that this is mounted on, for its log.
  const requestId: unknown = c.get('requestId' as never)
  const about = { title: STATUS_CODES[status], status, detail, code: codes[status], requestId }
  return c.body(JSON.stringify({ type: 'about:blank', ...about }), status, {
    'Content-Type': 'application/problem+json',
  })
}
