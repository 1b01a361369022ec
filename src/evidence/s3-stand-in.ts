// An S3 service on loopback, as strict as the published one about what we use: path-style PUT, GET, HEAD and DELETE of an
// object, AWS Signature Version 4 in the Authorization header, the payload's hash, a clock within 15 minutes.
// Written from "Authenticating Requests: Using the Authorization Header", "Error Responses" and the pages of the four
// operations in the Amazon S3 API Reference. It shares no code with what it checks.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export type S3StandIn = Awaited<ReturnType<typeof startS3StandIn>>
/** What the next answers are instead of the right one. */
export type S3Mood =
  { status: number; code: string } | 'hangs' | 'redirects' | 'babbles' | undefined

const skewMsMax = 15 * 60_000

export const s3Key = {
  bucket: 'evidence-test',
  region: 'eu-test-1',
  keyId: 'AKIDEXAMPLE',
  secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
}

export async function startS3StandIn() {
  const objects = new Map<string, Buffer>()
  const requests: string[] = []
  let mood: S3Mood
  let isVersioned = false
  const server = createServer((request, answer) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      requests.push(`${request.method} ${request.url}`)
      respond(request, Buffer.concat(parts), answer)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  function respond(request: IncomingMessage, body: Buffer, answer: ServerResponse): void {
    if (mood === 'hangs') return
    if (mood === 'redirects') {
      answer.writeHead(307, { location: 'http://127.0.0.1:9/elsewhere' }).end()
      return
    }
    if (mood === 'babbles') {
      answer.writeHead(500).end('x'.repeat(1_000_000))
      return
    }
    if (mood !== undefined) return refuse(request, answer, mood.status, mood.code)
    const problem = signatureProblem(request, body)
    if (problem !== undefined) return refuse(request, answer, 403, problem)
    const [, bucket = '', key = '', ...more] = (request.url ?? '').split('/')
    if (bucket !== s3Key.bucket) return refuse(request, answer, 404, 'NoSuchBucket')
    if (key === '' || more.length > 0) return refuse(request, answer, 400, 'InvalidRequest')
    serve(request, answer, { key, body })
  }

  function serve(
    request: IncomingMessage,
    answer: ServerResponse,
    { key, body }: { key: string; body: Buffer },
  ): void {
    const found = objects.get(key)
    switch (request.method ?? '') {
      case 'PUT':
        if (request.headers['content-length'] === undefined)
          return refuse(request, answer, 411, 'MissingContentLength')
        objects.set(key, body)
        answer.writeHead(200, { etag: `"${createHash('md5').update(body).digest('hex')}"` }).end()
        return
      case 'GET':
      case 'HEAD':
        if (found === undefined) return refuse(request, answer, 404, 'NoSuchKey')
        answer.writeHead(200, { 'content-length': String(found.length) })
        answer.end(request.method === 'GET' ? found : undefined)
        return
      case 'DELETE':
        objects.delete(key)
        answer.writeHead(204, isVersioned ? { 'x-amz-delete-marker': 'true' } : {}).end()
        return
      default:
        refuse(request, answer, 405, 'MethodNotAllowed')
    }
  }

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    requests,
    be(next: S3Mood) {
      mood = next
    },
    keepVersions(on: boolean) {
      isVersioned = on
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function refuse(request: IncomingMessage, answer: ServerResponse, status: number, code: string) {
  answer.writeHead(status, { 'content-type': 'application/xml' })
  const xml = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>no</Message></Error>`
  answer.end(request.method === 'HEAD' ? undefined : xml)
}

/** An S3 error code, or undefined when the request is signed as the documentation says. */
function signatureProblem(request: IncomingMessage, body: Buffer): string | undefined {
  const { headers } = request
  const authorization = headers.authorization ?? ''
  const [, keyId, date, region, service, signedHeaders = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      authorization,
    ) ?? []
  if (keyId === undefined) return 'AccessDenied'
  if (keyId !== s3Key.keyId) return 'InvalidAccessKeyId'
  if (region !== s3Key.region || service !== 's3') return 'AuthorizationHeaderMalformed'
  const amzDate = String(headers['x-amz-date'] ?? '')
  const [, day, h, m, s] = /^(\d{8})T(\d\d)(\d\d)(\d\d)Z$/.exec(amzDate) ?? []
  if (day === undefined || day !== date) return 'AccessDenied'
  const atMs = Date.parse(`${day.slice(0, 4)}-${day.slice(4, 6)}-${day.slice(6)}T${h}:${m}:${s}Z`)
  if (Math.abs(atMs - Date.now()) > skewMsMax) return 'RequestTimeTooSkewed'
  const names = signedHeaders.split(';')
  // Host and every x-amz-* header must be signed.
  const mustBe = ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))]
  if (mustBe.some((name) => !names.includes(name))) return 'AccessDenied'
  const payload = String(headers['x-amz-content-sha256'] ?? '')
  if (!/^[0-9a-f]{64}$/.test(payload)) return 'MissingSecurityHeader'
  if (payload !== sha256(body)) return 'XAmzContentSHA256Mismatch'

  const url = new URL(request.url ?? '/', 'http://stand-in')
  const canonical = [
    request.method,
    url.pathname,
    url.search.slice(1),
    ...names.map(
      (name) =>
        `${name}:${String(headers[name] ?? '')
          .trim()
          .replaceAll(/ +/g, ' ')}`,
    ),
    '',
    signedHeaders,
    payload,
  ].join('\n')
  const scope = `${date}/${region}/s3/aws4_request`
  const toSign = `AWS4-HMAC-SHA256\n${amzDate}\n${scope}\n${sha256(canonical)}`
  const key = [date ?? '', region ?? '', 's3', 'aws4_request'].reduce<string | Buffer>(
    (sofar, part) => createHmac('sha256', sofar).update(part).digest(),
    `AWS4${s3Key.secret}`,
  )
  const expected = createHmac('sha256', key).update(toSign).digest()
  return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
    ? undefined
    : 'SignatureDoesNotMatch'
}

function sha256(of: string | Buffer): string {
  return createHash('sha256').update(of).digest('hex')
}
