// The witness over HTTP: POST /add-checkpoint (C2SP tlog-witness), and of our own GET /checkpoint/SHA-256-OF-ORIGIN, the
// newest checkpoint it cosigned, so that a log can ask before it has anything to submit.
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { UsageError } from '../../domain/errors.ts'
import { readBody } from '../signer/read-body.ts'
import { addCheckpointLimits } from './add-checkpoint.ts'
import type { Witness, WitnessAnswer } from './witness.ts'

export const witnessServerLimits = {
  requestMs: 10_000,
  keepAliveMs: 65_000,
  headerBytes: 8 * 1024,
  connections: 256,
  closeMs: 2_000,
} as const

export type WitnessServer = AsyncDisposable & { url: string; close(): Promise<void> }

/** Throws UsageError when it cannot listen. */
export async function serveWitness(options: {
  witness: Witness
  host: string
  port: number
  limits?: { requestMs?: number }
  onError?: (error: unknown) => void
}): Promise<WitnessServer> {
  const limits = { ...witnessServerLimits, ...options.limits }
  const server = createServer(
    {
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1_000, limits.requestMs),
      keepAliveTimeout: limits.keepAliveMs,
      maxHeaderSize: limits.headerBytes,
    },
    (request, response) => {
      void handle(options.witness, request).then(
        (answer) => send(response, answer),
        (error: unknown) => {
          options.onError?.(error)
          send(response, text(503, 'this witness cannot do this now'))
        },
      )
    },
  )
  server.maxConnections = limits.connections
  const { host } = options
  const port = await bind(server, host, options.port)
  let closing: Promise<void> | undefined
  const close = () => (closing ??= closeServer(server))
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  return { url, close, [Symbol.asyncDispose]: close }
}

async function handle(witness: Witness, request: IncomingMessage): Promise<WitnessAnswer> {
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  const [, originHash] = /^\/checkpoint\/([0-9a-f]{64})$/.exec(path) ?? []
  if (path !== '/add-checkpoint' && originHash === undefined)
    return text(404, 'there is nothing here')
  if (request.method !== (originHash === undefined ? 'POST' : 'GET'))
    return text(405, 'not with this method')
  if (originHash !== undefined) {
    const note = await witness.newest(originHash)
    return note === undefined ? text(404, 'nothing was cosigned for this log') : text(200, note, '')
  }
  const body = await readBody(request, addCheckpointLimits.bodyBytes)
  return body === undefined ? text(413, 'the body is too long') : await witness.addCheckpoint(body)
}

function text(status: number, body: string, end = '\n'): WitnessAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body: `${body}${end}` }
}

function send(response: ServerResponse, { status, contentType, body }: WitnessAnswer): void {
  if (response.destroyed) return
  // What was not read of a body would be taken for the next request.
  const end = response.req.complete ? {} : { connection: 'close' }
  response.writeHead(status, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
    ...end,
  })
  response.end(body)
}

async function bind(server: Server, host: string, port: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host, port, exclusive: true }, resolve)
  try {
    await promise
  } catch (cause) {
    throw new UsageError(`${host} port ${port} cannot be listened at`, { cause })
  }
  server.removeListener('error', reject)
  return (server.address() as AddressInfo).port
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const late = setTimeout(() => server.closeAllConnections(), witnessServerLimits.closeMs)
  server.close(() => resolve())
  server.closeIdleConnections()
  await promise
  clearTimeout(late)
}
