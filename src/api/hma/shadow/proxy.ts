// The old HMA answers its clients through here, and ours is asked the same: where the two differ, a line says how.
//
// Promises: clients get the old one's status, headers and bytes, also when ours is slow, wrong or gone; what changes something
// goes to the old one only; open calls, comparisons and all bytes that they hold together are bounded, and a comparison too
// many is left out and counted. A line carries no signal and no address (compare.ts). Nothing is kept: a crash loses the counters.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AddressInfo } from 'node:net'
import { UsageError } from '../../../domain/errors.ts'
import { listenerLimits } from '../../../http/listener.ts'
import { ask, createRoom, NoRoom, passedOn, readWhole, TooLong } from './ask.ts'
import type { Asked, Share } from './ask.ts'
import { causesOf, counted, isDraw } from './cause.ts'
import type { Side } from './cause.ts'
import { compareReplies, isComparable } from './compare.ts'
import type { Call, Difference } from './compare.ts'

export const shadowLimits = {
  bodyBytesMax: 128 * 1024 * 1024,
  answerBytesMax: 64 * 1024 * 1024,
  openMax: 256,
  /** Of all calls together: bodies, answers and what is still being compared. */
  heldBytesMax: 512 * 1024 * 1024,
  comparingMax: 16,
  /** Of a body that is sent twice. */
  comparedBytesMax: 64 * 1024 * 1024,
  /** Of an answer, which is parsed for it. */
  comparedAnswerBytesMax: 8 * 1024 * 1024,
  upstreamMs: 120_000,
  oursMs: 15_000,
  /** For a client to take its answer. */
  deliverMs: 60_000,
  /** After so long a bank change is in our index: whoever differs then differs. */
  askAgainMs: 2_000,
}
type Limits = typeof shadowLimits

export type Counters = {
  calls: number
  same: number
  /** By reason. */
  different: Record<string, number>
  /** Not compared: too many were being compared, the body or the answer was too large, or compressed. */
  leftOut: number
  /** Ours gave no answer. */
  oursFailed: number
  upstreamFailed: number
}

export type ShadowLine = { at: string; method: string; path: string } & Difference

export type Shadow = AsyncDisposable & {
  url: string
  counters(): Counters
  /** Every comparison that was begun has ended. */
  idle(): Promise<void>
}

export async function startShadow(options: {
  host: string
  port: number
  upstream: URL
  ours: URL
  oursKey?: string | undefined
  onLine: (line: ShadowLine) => void
  clock: () => number
  limits?: Partial<Limits>
}): Promise<Shadow> {
  const limits = { ...shadowLimits, ...options.limits }
  const counters: Counters = {
    ...{ calls: 0, same: 0, different: {}, leftOut: 0, oursFailed: 0, upstreamFailed: 0 },
  }
  const comparing = new Set<Promise<void>>()
  const stop = new AbortController()
  const given = {
    stop: stop.signal,
    limits,
    upstream: options.upstream,
    room: createRoom(limits.heldBytesMax),
    open: { calls: 0 },
  }

  const shadow = async (call: Sent, theirs: Asked, share: Share) => {
    if (
      comparing.size >= limits.comparingMax ||
      call.body.length > limits.comparedBytesMax ||
      theirs.body.length > limits.comparedAnswerBytesMax ||
      isPacked(theirs)
    ) {
      counters.leftOut += 1
      return
    }
    const work: Promise<void> = compare(call, theirs, { ...options, limits, share })
      .then((difference) => {
        if (difference === undefined) {
          counters.same += 1
          return
        }
        const { reason } = difference
        counters.different[reason] = (counters.different[reason] ?? 0) + 1
        const at = new Date(options.clock()).toISOString()
        options.onLine({ at, method: call.method, path: ruleOf(call.path), ...difference })
      })
      .catch((error: unknown) => {
        if (error instanceof NoRoom) counters.leftOut += 1
        else counters.oursFailed += 1
      })
      .finally(() => comparing.delete(work))
    comparing.add(work)
    await work
  }

  const server = createServer(
    {
      headersTimeout: listenerLimits.headersMs,
      requestTimeout: listenerLimits.requestMs,
      keepAliveTimeout: listenerLimits.keepAliveMs,
      maxHeaderSize: listenerLimits.headerBytesMax,
    },
    (request, response) => {
      counters.calls += 1
      void handle(request, response, { ...given, shadow }).catch((error: unknown) => {
        counters.upstreamFailed += 1
        const words = error instanceof TooLong ? 'too long an answer' : 'no answer'
        refuse(response, 502, `the upstream HMA gave ${words}`)
      })
    },
  )
  server.maxConnections = listenerLimits.connectionsMax
  const url = await listenOn(server, options)
  return {
    url,
    counters: () => structuredClone(counters),
    async idle() {
      while (comparing.size > 0) await Promise.all(comparing)
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      const cut = setTimeout(() => server.closeAllConnections(), listenerLimits.closeMs)
      await closed
      clearTimeout(cut)
      // Whoever asked is gone: nothing is waited for.
      stop.abort()
    },
  }
}

type Sent = Call & { target: string; rawHeaders: string[]; body: Buffer }

type Given = {
  limits: Limits
  stop: AbortSignal
  upstream: URL
  room: () => Share
  open: { calls: number }
  shadow: (call: Sent, theirs: Asked, share: Share) => Promise<void>
}

/** Rejects when the old one gave no answer that can be handed on. */
async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  given: Given,
): Promise<void> {
  const { limits, stop, open } = given
  if (Number(request.headers['content-length'] ?? 0) > limits.bodyBytesMax)
    return refuse(response, 413, 'Content too large')
  if (open.calls >= limits.openMax) return refuse(response, 503, busySentence)
  open.calls += 1
  const share = given.room()
  try {
    const call = await readCall(request, { bytesMax: limits.bodyBytesMax, share })
    if (call === 'too-long') return refuse(response, 413, 'Content too large')
    // The client went away before it had said all: nobody waits.
    if (call === undefined) return void response.destroy()
    const [timeMs, bytesMax] = [limits.upstreamMs, limits.answerBytesMax]
    const theirs = await ask(given.upstream, call, { timeMs, bytesMax, share, stop })
    response.writeHead(theirs.status, passedOn(theirs.rawHeaders))
    const delivered = deliver(response, theirs.body, limits.deliverMs)
    if (isComparable(call)) await given.shadow(call, theirs, share)
    await delivered
  } catch (error) {
    if (!(error instanceof NoRoom)) throw error
    refuse(response, 503, busySentence)
  } finally {
    open.calls -= 1
    share.end()
  }
}

const busySentence = 'too many calls at once'

/** Over when the client has it, or is cut off: what it does not take is held here. */
async function deliver(response: ServerResponse, body: Buffer, timeMs: number): Promise<void> {
  if (response.destroyed) return
  const cut = setTimeout(() => response.destroy(), timeMs)
  const over = once(response, 'close')
  response.end(body)
  await over
  clearTimeout(cut)
}

async function readCall(
  request: IncomingMessage,
  limits: { bytesMax: number; share: Share },
): Promise<Sent | 'too-long' | undefined> {
  const { method = 'GET', url: target = '/' } = request
  let body: Buffer
  try {
    body = await readWhole(request, limits)
  } catch (error) {
    if (error instanceof NoRoom) throw error
    return error instanceof TooLong ? 'too-long' : undefined
  }
  const [path = '/', search = ''] = target.split(/\?(.*)/s, 2)
  const rawHeaders = passedOn(request.rawHeaders, ['host', 'content-length'])
  return { method, path, query: new URLSearchParams(search), target, rawHeaders, body }
}

/** The client has the old one's answer already. Rejects when ours has none. */
async function compare(
  call: Sent,
  theirs: Asked,
  options: {
    ours: URL
    upstream: URL
    oursKey?: string | undefined
    limits: Limits
    share: Share
    clock: () => number
  },
): Promise<Difference | undefined> {
  const { ours, upstream, oursKey, limits, share } = options
  const answers = { timeMs: limits.oursMs, bytesMax: limits.comparedAnswerBytesMax, share }
  // Whoever asked is not who asks us, and ours answers nobody through a proxy.
  const type = call.rawHeaders.findIndex(
    (name, at) => at % 2 === 0 && name.toLowerCase() === 'content-type',
  )
  const rawHeaders = type === -1 ? [] : ['Content-Type', call.rawHeaders[type + 1] ?? '']
  if (oursKey !== undefined) rawHeaders.push('Authorization', `Bearer ${oursKey}`)
  // Whoever looks something up may see it: the old one is asked as its client asks.
  const sides = {
    ours: { base: ours, rawHeaders },
    theirs: { base: upstream, rawHeaders: call.rawHeaders },
  }
  const read = async (side: Side, target: string) => {
    const { base, rawHeaders } = sides[side]
    const question = { method: 'GET', target, rawHeaders, body: Buffer.alloc(0) }
    return replyOf(await ask(base, question, answers))
  }
  const look = async () => {
    const reply = replyOf(await ask(ours, { ...call, rawHeaders }, answers))
    const difference = compareReplies(call, replyOf(theirs), reply)
    if (difference === undefined || !mayBeLag(difference)) return difference
    const replies = { theirs: replyOf(theirs), ours: reply }
    const lacks = await causesOf(replies, read, options.clock() / 1000)
    if (isDraw(call, lacks)) return { ...difference, reason: 'draw' as const }
    return { ...difference, ...(lacks.length > 0 && { why: counted(lacks) }) }
  }
  const first = await look()
  if (first === undefined || !mayBeLag(first)) return first
  await sleep(limits.askAgainMs)
  return (await look()) ?? { ...first, reason: 'index-lag' }
}

function mayBeLag({ reason }: Difference): boolean {
  return reason === 'index-lag' || reason === 'ours-has-less' || reason === 'ours-has-more'
}

function isPacked({ rawHeaders }: Asked): boolean {
  return rawHeaders.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-encoding')
}

function replyOf({ status, body }: Asked) {
  return { status, body: body.toString('utf8') }
}

/** Names and numbers in a path are somebody's: only what is the interface's stays. */
function ruleOf(path: string): string {
  const words = path.split('/').filter(Boolean)
  return `/${words.map((word, at) => (at < 2 || known.has(word) ? word.slice(0, 40) : '…')).join('/')}`
}

const known = new Set(['content', 'signal', 'status', 'schema', 'api', 'apis', 'index'])

function refuse(response: ServerResponse, status: number, message: string): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify({ message }))
}

async function listenOn(
  server: ReturnType<typeof createServer>,
  { host, port }: { host: string; port: number },
): Promise<string> {
  server.listen({ host, port })
  try {
    await once(server, 'listening')
  } catch (cause) {
    throw new UsageError(`${host}:${port} cannot be listened on: see --listen`, { cause })
  }
  const address = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`
}
