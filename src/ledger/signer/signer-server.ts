// The signer as a process of its own: HTTP on a Unix socket that its group may use.
//
// Whoever may open the socket may have a consistent head signed, and nothing else: the head only grows, whatever comes in.
// A crash leaves a socket that nobody answers at; the next start takes its place.
import { chmod, lstat, unlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { FatalError, PermanentError, UsageError } from '../../domain/errors.ts'
import { isCode } from './durable-file.ts'
import { lockFile } from './file-lock.ts'
import { readBody } from './read-body.ts'
import type { LedgerSigner } from './signer.ts'
import { formatHead, parseSignRequest, signerLimits } from './signer-protocol.ts'
import type { Json } from './signer-protocol.ts'

export type SignerServer = AsyncDisposable & { close(): Promise<void> }

type Reply = { status: number; body: Json }

const socketMode = 0o660
const closeMs = 2_000

/** Throws UsageError when something else is at `path`, or answers there. */
export async function serveSigner(options: {
  signer: LedgerSigner
  path: string
  limits?: { requestMs?: number }
  /** Told of what went wrong inside; the other side is not. */
  onError?: (error: unknown) => void
}): Promise<SignerServer> {
  const { signer, path } = options
  await using stack = new AsyncDisposableStack()
  // For as long as the socket is ours: two starts may not both find the same one dead.
  const lock = await lockFile(`${path}.lock`, { waitMs: 0 })
  if (lock === undefined) throw new UsageError(`another signer answers at ${path}`)
  stack.use(lock)
  await clearPath(path)
  const requestMs = options.limits?.requestMs ?? signerLimits.requestMs
  const server = createServer(
    {
      headersTimeout: requestMs,
      requestTimeout: requestMs,
      connectionsCheckingInterval: Math.min(1_000, requestMs),
      maxHeaderSize: 4 * 1024,
    },
    (request, response) => {
      void handle(signer, request).then(
        (reply) => send(response, reply),
        (error: unknown) => {
          options.onError?.(error)
          send(response, replyTo(error))
        },
      )
    },
  )
  server.maxConnections = signerLimits.connections
  await bind(server, path)
  stack.defer(() => closeServer(server))
  const kept = stack.move()
  let closing: Promise<void> | undefined
  const close = () => (closing ??= kept.disposeAsync())
  return { close, [Symbol.asyncDispose]: close }
}

async function handle(signer: LedgerSigner, request: IncomingMessage): Promise<Reply> {
  const url = URL.parse(request.url ?? '/', 'http://signer')
  const origin = url?.searchParams.get('origin') ?? undefined
  switch (`${request.method} ${url?.pathname}`) {
    case 'GET /head':
      return { status: 200, body: { head: formatHead(await signer.head(origin ?? '')) } }
    case 'GET /key':
      return { status: 200, body: { verifierKey: await signer.verifierKey(origin) } }
    case 'POST /sign':
      return await handleSign(signer, request)
    default:
      return { status: 404, body: { reason: 'there is nothing here' } }
  }
}

async function handleSign(signer: LedgerSigner, request: IncomingMessage): Promise<Reply> {
  const bytes = await readBody(request, signerLimits.bodyBytes)
  if (bytes === undefined) return { status: 413, body: { reason: 'the request is too long' } }
  const asked = parseSignRequest(parseJson(bytes))
  if (typeof asked === 'string') return { status: 400, body: { reason: asked } }
  const answer = await signer.sign(asked)
  return answer.kind === 'signed'
    ? { status: 200, body: { note: answer.note } }
    : { status: 409, body: { reason: answer.reason, head: formatHead(answer.head) } }
}

function replyTo(error: unknown): Reply {
  if (error instanceof PermanentError) return { status: 404, body: { reason: error.message } }
  if (error instanceof FatalError) return { status: 500, body: { reason: error.message } }
  return { status: 503, body: { reason: 'the signer cannot do this now: see what it logged' } }
}

function send(response: ServerResponse, { status, body }: Reply): void {
  if (response.destroyed) return
  // What was not read of a body would be taken for the next request.
  const end = status === 413 ? { connection: 'close' } : {}
  response.writeHead(status, { 'content-type': 'application/json', ...end })
  response.end(JSON.stringify(body))
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** Under the lock, a socket that nobody answers at is a dead signer's. */
async function clearPath(path: string): Promise<void> {
  try {
    if (!(await lstat(path)).isSocket()) throw new UsageError(`${path} is there and is no socket`)
  } catch (error) {
    if (isCode(error, 'ENOENT')) return
    throw error
  }
  if (await answers(path)) throw new UsageError(`something answers at ${path} already`)
  await unlink(path)
}

function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect(path)
  socket.once('connect', () => resolve(true))
  socket.once('error', (error) => resolve(!isCode(error, 'ECONNREFUSED')))
  return promise.finally(() => socket.destroy())
}

async function bind(server: Server, path: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  // The socket is made inside listen(): with this mask it is never open to others, not even for a moment.
  const mask = process.umask(0o777 & ~socketMode)
  try {
    server.listen(path, resolve)
  } finally {
    process.umask(mask)
  }
  try {
    await promise
  } catch (error) {
    throw new UsageError(`${path} cannot be listened at`, { cause: error })
  }
  server.removeListener('error', reject)
  await chmod(path, socketMode)
}

async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const late = setTimeout(() => server.closeAllConnections(), closeMs)
  // Node takes the socket's file away with it.
  server.close(() => resolve())
  server.closeIdleConnections()
  await promise
  clearTimeout(late)
}
