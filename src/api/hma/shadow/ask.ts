// One request to the old HMA or to ours, with its bytes as they are.
import { request as requestHttp } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { request as requestHttps } from 'node:https'

export type Asked = { status: number; rawHeaders: string[]; body: Buffer }

/** Of one connection only, as is what `Connection` names (RFC 9110, 7.6.1): they are not passed on. */
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
  const pairs: [lower: string, name: string, value: string][] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = '', value = ''] = rawHeaders.slice(at, at + 2)
    pairs.push([name.toLowerCase(), name, value])
  }
  const named = pairs.flatMap(([lower, , value]) =>
    lower === 'connection' ? value.toLowerCase().split(/[\s,]+/) : [],
  )
  const left = new Set([...ofOneHop, ...without, ...named])
  return pairs.flatMap(([lower, name, value]) => (left.has(lower) ? [] : [name, value]))
}

/**
 * Over a connection of its own: one that was kept may be closed over there already, and a call that was lost so must not be
 * sent twice. Rejects when there is no answer, in time or at all, or a longer one than `bytesMax`.
 */
export function ask(
  base: URL,
  call: { method: string; target: string; rawHeaders: string[]; body: Buffer },
  limits: { timeMs: number; bytesMax: number; share: Share; stop?: AbortSignal },
): Promise<Asked> {
  const { promise, resolve, reject } = Promise.withResolvers<Asked>()
  const send = base.protocol === 'https:' ? requestHttps : requestHttp
  const headers = [...call.rawHeaders, 'Host', base.host]
  if (call.body.length > 0 || !/^(GET|HEAD)$/.test(call.method))
    headers.push('Content-Length', String(call.body.length))
  const request = send({
    protocol: base.protocol,
    hostname: base.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: base.port,
    method: call.method,
    path: `${base.pathname.replace(/\/$/, '')}${call.target}`,
    headers,
    agent: false,
    signal: AbortSignal.any([
      AbortSignal.timeout(limits.timeMs),
      ...(limits.stop ? [limits.stop] : []),
    ]),
  })
  request.on('error', reject)
  // Nobody asked for another protocol, and no error would follow.
  request.once('upgrade', (_response, socket) => {
    socket.destroy()
    reject(new Error('another protocol'))
  })
  request.once('response', (response) => {
    readWhole(response, limits).then(
      (body) =>
        resolve({ status: response.statusCode ?? 502, rawHeaders: response.rawHeaders, body }),
      reject,
    )
  })
  request.end(call.body)
  return promise
}

export async function readWhole(
  message: IncomingMessage,
  { bytesMax, share }: { bytesMax: number; share: Share },
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > bytesMax) throw new TooLong()
    share.take(chunk.length)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

export class TooLong extends Error {
  override name = 'TooLong'
}

/** What one call holds of the bytes that all may hold together. */
export type Share = {
  /** Throws NoRoom. */
  take(bytes: number): void
  end(): void
}

export class NoRoom extends Error {
  override name = 'NoRoom'
}

export function createRoom(bytesMax: number): () => Share {
  let left = bytesMax
  return () => {
    let mine = 0
    return {
      take(bytes) {
        if (bytes > left) throw new NoRoom()
        left -= bytes
        mine += bytes
      },
      end() {
        left += mine
        mine = 0
      },
    }
  }
}
