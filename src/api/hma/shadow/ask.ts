// One request to the old HMA or to ours, with its bytes as they are.
import { request as requestHttp } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'

export type Asked = { status: number; rawHeaders: string[]; body: Buffer }

/** Of one connection only (RFC 9110, 7.6.1): they are not passed on. */
const ofOneHop = new Set([
  'connection',
  'expect',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** name, value, name, value, …, without those of one hop and those that are named. */
export function passedOn(rawHeaders: readonly string[], without: readonly string[] = []): string[] {
  const kept: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    const lower = name.toLowerCase()
    if (!ofOneHop.has(lower) && !without.includes(lower)) kept.push(name, value)
  }
  return kept
}

/** Rejects when there is no answer, in time or at all, or a longer one than `bytesMax`. */
export function ask(
  base: URL,
  call: { method: string; target: string; rawHeaders: string[]; body: Buffer },
  limits: { timeMs: number; bytesMax: number },
): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>()
  const send = base.protocol === 'https:' ? requestHttps : requestHttp
  const headers = [...call.rawHeaders, 'Host', base.host]
  if (call.body.length > 0) headers.push('Content-Length', String(call.body.length))
  const request = send({
    protocol: base.protocol,
    hostname: base.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: base.port,
    method: call.method,
    path: `${base.pathname.replace(/\/$/, '')}${call.target}`,
    headers,
    signal: AbortSignal.timeout(limits.timeMs),
  })
  request.once('error', reject)
  request.once('response', (response) => {
    readWhole(response, limits.bytesMax).then(
      (body) =>
        resolve({ status: response.statusCode ?? 502, rawHeaders: response.rawHeaders, body }),
      reject,
    )
  })
  request.end(call.body)
  return promise
}

export async function readWhole(message: IncomingMessage, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bytesMax) throw new TooLong()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export class TooLong extends Error {
  override name = 'TooLong'
}
