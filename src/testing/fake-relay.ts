// A strict relay on loopback that behaves and misbehaves on command. Stands in for a relay; a PDS is tested for real.
//
//   await using relay = await startFakeRelay()
//   relay.commit({ did, ops: [{ action: 'create', path: 'app.bsky.feed.post/1', record }] })
//
// Strict: refuses any other path, a cursor that is no integer, and a client that sends something. Events are kept for ever
// unless `forget` drops the oldest; a cursor before them gets #info OutdatedCursor, one past the last gets FutureCursor.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { WebSocketServer, type WebSocket } from 'ws'
import { commitFrame, errorFrame, frameOf, type CommitEvent } from './relay-frames.ts'

export type FakeRelay = AsyncDisposable & {
  /** `ws://127.0.0.1:port` */
  url: string
  /** Each returns the event's seq. */
  commit(event: CommitEvent): number
  account(event: { did: string; active: boolean; status?: string; time?: string }): number
  identity(event: { did: string; time?: string }): number
  sync(event: { did: string; rev: string; time?: string }): number
  /** Any bytes or text as one frame. With `seq` a cursor can lie after it. */
  raw(data: Uint8Array | string, seq?: number): void
  /** The seq that the next event takes. Holes are legal; a lower one begins the numbers anew and drops the history. */
  nextSeq(seq?: number): number
  /** Keeps the newest events only. */
  forget(keep: number): void
  /** 1000 unless given; null cuts the TCP connection. */
  hangUp(code?: number | null): void
  /** While stalled nothing is sent, pongs neither. */
  stall(stalled: boolean): void
  /** While refusing, an upgrade is answered with 503. */
  refuse(refusing: boolean): void
  /** Milliseconds between two frames. */
  slow(ms: number): void
  /** The cursor of every connect so far; null where none was given. */
  cursors: (number | null)[]
}

type Kept = { seq: number | null; data: Uint8Array | string }
const bufferedBytesMax = 4_000_000

export async function startFakeRelay(options: { seq?: number } = {}): Promise<FakeRelay> {
  let seq = options.seq ?? 1
  let history: Kept[] = []
  let dropped = 0
  let forgottenSeq = 0
  let stalled = false
  let refusing = false
  let slowMs = 0
  const cursors: (number | null)[] = []

  const http = createServer((_request, response) => response.writeHead(404).end())
  const sockets = new WebSocketServer({
    server: http,
    autoPong: false,
    verifyClient: ({ req }, done) => {
      if (refusing) done(false, 503, 'Service Unavailable')
      else if (cursorOf(req) === undefined) done(false, 400, 'Bad Request')
      else done(true)
    },
  })
  sockets.on('connection', (socket, request) => {
    const cursor = cursorOf(request) ?? null
    cursors.push(cursor)
    socket.on('error', () => socket.terminate())
    socket.on('message', () => socket.close(1003, 'this stream is one way'))
    socket.on('ping', (data: Uint8Array) => {
      if (!stalled) socket.pong(data)
    })
    void serve(socket, cursor)
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))

  async function serve(socket: WebSocket, cursor: number | null): Promise<void> {
    if (cursor !== null && cursor >= seq) {
      socket.send(errorFrame('FutureCursor', 'Cursor in the future.'))
      socket.close(1008)
      return
    }
    if (cursor !== null && cursor < forgottenSeq) {
      socket.send(frameOf('#info', { name: 'OutdatedCursor', message: 'Possibly missing events' }))
    }
    let at = dropped + (cursor === null ? history.length : firstAfter(history, cursor))
    while (socket.readyState === 1) {
      const next = history[at - dropped]
      if (stalled || next === undefined || socket.bufferedAmount > bufferedBytesMax) await wait(2)
      else {
        socket.send(next.data)
        at += 1
        if (slowMs > 0) await wait(slowMs)
      }
    }
  }

  function emit(frame: (seq: number) => Uint8Array): number {
    const own = seq
    history.push({ seq: own, data: frame(own) })
    seq += 1
    return own
  }

  const event = (t: string) => (body: { time?: string }) =>
    emit((seq) => frameOf(t, { time: new Date().toISOString(), ...body, seq }))

  return {
    url: `ws://127.0.0.1:${(http.address() as AddressInfo).port}`,
    cursors,
    commit: (commit) => emit((seq) => commitFrame(seq, commit)),
    account: event('#account'),
    identity: event('#identity'),
    sync: (sync) => event('#sync')({ ...sync, blocks: new Uint8Array() } as { time?: string }),
    raw(data, own) {
      history.push({ seq: own ?? null, data })
      if (own !== undefined) seq = own + 1
    },
    nextSeq(next = seq) {
      if (next < seq) {
        dropped += history.length
        history = []
        forgottenSeq = 0
      }
      seq = next
      return seq
    },
    forget(keep) {
      const gone = history.slice(0, Math.max(0, history.length - keep))
      history = history.slice(gone.length)
      dropped += gone.length
      forgottenSeq = gone.findLast((kept) => kept.seq !== null)?.seq ?? forgottenSeq
    },
    hangUp(code = 1000) {
      for (const socket of sockets.clients) {
        if (code === null) socket.terminate()
        else socket.close(code)
      }
    },
    stall: (on) => void (stalled = on),
    refuse: (on) => void (refusing = on),
    slow: (ms) => void (slowMs = ms),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets.clients) socket.terminate()
      sockets.close()
      http.closeAllConnections()
      await new Promise((resolve) => http.close(resolve))
    },
  }
}

/** null: none given; undefined: not a request this relay answers. */
function cursorOf(request: IncomingMessage): number | null | undefined {
  const url = new URL(request.url ?? '/', 'ws://relay')
  if (url.pathname !== '/xrpc/com.atproto.sync.subscribeRepos') return undefined
  const cursor = url.searchParams.get('cursor')
  if (cursor === null) return null
  return /^\d{1,15}$/.test(cursor) ? Number(cursor) : undefined
}

function firstAfter(history: Kept[], cursor: number): number {
  return history.findLastIndex((kept) => kept.seq !== null && kept.seq <= cursor) + 1
}
