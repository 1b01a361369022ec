// GET /api/v1/blobs/{did}/{cid} without Hono: an AppView asks it for every picture, and the objects of a request there cost
// more than the answer.
//
// Promises: gives the answer of the app and asks the same of the caller. What is anything but a plain yes (no key, no
// scope, too often, an odd name, the database away) goes to the app, which says why.
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { DirectAnswer } from '../http/listener.ts'
import { safeHeaders } from '../http/problem.ts'
import { isForwarded, may } from './access.ts'
import type { BlobView } from './blob-view.ts'
import type { KeyRing } from './key-ring.ts'
import type { RateLimits, Spent } from './rate-limits.ts'
import { addressOf } from './remote-address.ts'
import { answerOf, pairOf } from './v1/blobs.ts'

const shape = /^\/api\/v1\/blobs\/(did:[A-Za-z0-9._:-]{1,260})\/([A-Za-z0-9]{8,128})$/

type Parts = { keys: KeyRing; limits: RateLimits; view: BlobView }
type Asked = { did: string; cid: string }

export function createDirectBlobs(parts: Parts): DirectAnswer {
  return (request, response, otherwise) => {
    if (request.method !== 'GET') return false
    const [, did, cid] = shape.exec(request.url ?? '') ?? []
    if (did === undefined || cid === undefined) return false
    answer(parts, { did, cid }, request, response).then(
      (answered) => {
        if (!answered) otherwise()
      },
      // The app asks again and, where that fails too, answers as it does with every failure.
      () => {
        if (!response.headersSent) otherwise()
      },
    )
    return true
  }
}

async function answer(
  { keys, limits, view }: Parts,
  asked: Asked,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<boolean> {
  const pair = pairOf(asked)
  const address = addressOf(request)
  if (pair === undefined || limits.refusedTooOften(address) > 0) return false
  const from = { address, isForwarded: isForwarded(request.headers) }
  const found = await keys.open(request.headers.authorization, from)
  if (found.kind !== 'open' || !may(found.access, 'blob:read')) return false
  const spent = limits.spend(found.keyId, found.requestsPerSecond)
  if (spent.waitMs > 0) return false
  const row = await view.one(pair)
  const { headers, isKnown, body } = answerOf(asked, row, request.headers['if-none-match'])
  send(response, { spent, headers, body: isKnown ? undefined : JSON.stringify(body) })
  return true
}

function send(
  response: ServerResponse,
  {
    spent,
    headers,
    body,
  }: { spent: Spent; headers: Record<string, string>; body: string | undefined },
): void {
  response.writeHead(body === undefined ? 304 : 200, {
    ...headers,
    'ratelimit-limit': spent.limit,
    'ratelimit-remaining': spent.remaining,
    'x-request-id': randomUUID(),
    ...safeHeaders,
    ...(body !== undefined && {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    }),
  })
  response.end(body)
}
