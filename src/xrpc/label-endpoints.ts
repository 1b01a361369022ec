// com.atproto.label.queryLabels and subscribeLabels over a LabelStore. Both are public and read-only.
// A subscriber costs one page of labels and one frame, never a queue: a frame is sent when the one before it has
// left the process, and a subscriber that does not read is told ConsumerTooSlow and closed.
import { InvalidRequestError } from '@atproto/xrpc-server'
import type { Server } from '@atproto/xrpc-server'
import { UsageError } from '../domain/errors.ts'
import { followLabels, readPatiently } from '../labeler/label-feed.ts'
import { parseUriPattern } from '../labeler/label-patterns.ts'
import type { UriPattern } from '../labeler/label-patterns.ts'
import type { LabelStore } from '../labeler/label-store.ts'
import { toLabelsMessage, toWireLabel } from './label-message.ts'
import { guardSubscription } from './subscription-guard.ts'
import type {
  SubscriptionGuard,
  SubscriptionLimits,
  SubscriptionServer,
} from './subscription-guard.ts'

export const queryPatternsMax = 50
export const querySourcesMax = 50

export type LabelEndpoints = {
  /** How many are connected to the stream now. */
  subscribers(): number
  /** Ends the heartbeat; connections are closed by the listener. */
  close(): void
}

export function addLabelEndpoints(options: {
  xrpc: Server
  store: LabelStore
  onError: (error: unknown) => void
  limits?: Partial<SubscriptionLimits>
}): LabelEndpoints {
  addQueryLabels(options.xrpc, options.store)
  return addSubscribeLabels(options)
}

function addQueryLabels(xrpc: Server, store: LabelStore): void {
  xrpc.method('com.atproto.label.queryLabels', async ({ params }) => {
    // The lexicon fills in the default limit and has checked its range (1 to 250).
    const limit = Number(params['limit'])
    const labels = await store.query({
      uriPatterns: parsePatterns(params['uriPatterns'] as string[]),
      sources: parseSources(params['sources'] as string[] | undefined),
      afterSeq: parseCursor((params['cursor'] as string | undefined) ?? '0'),
      limit,
    })
    const last = labels.length === limit ? labels.at(-1) : undefined
    return {
      encoding: 'application/json',
      body: {
        ...(last === undefined ? {} : { cursor: String(last.seq) }),
        labels: labels.map(toWireLabel),
      },
    }
  })
}

function addSubscribeLabels(options: {
  xrpc: Server
  store: LabelStore
  onError: (error: unknown) => void
  limits?: Partial<SubscriptionLimits>
}): SubscriptionGuard {
  const { xrpc, store, onError } = options
  const nsid = 'com.atproto.label.subscribeLabels'
  xrpc.streamMethod(nsid, async function* ({ req, params, signal }) {
    const head = await readPatiently(() => store.head(), { signal, onError })
    if (head === undefined) return
    const cursor = params['cursor'] as number | undefined
    if (cursor !== undefined && cursor < 0) throw new InvalidRequestError('cursor is not negative')
    if (cursor !== undefined && cursor > head) {
      throw new InvalidRequestError('Cursor in the future.', 'FutureCursor')
    }
    for await (const label of followLabels({ store, after: cursor ?? head, signal, onError })) {
      // `yield` comes back when the frame has left the process (XrpcStreamServer waits for the send).
      using frame = guard.sending(req)
      yield toLabelsMessage(label)
      if (frame.tooSlow()) return
    }
  })
  const subscription = xrpc.subscriptions.get(nsid)
  if (subscription === undefined) throw new Error(`${nsid} was not registered`)
  const guard = guardSubscription({
    wss: subscription.wss as unknown as SubscriptionServer,
    limits: options.limits ?? {},
  })
  return guard
}

function parsePatterns(texts: string[]): UriPattern[] {
  if (texts.length > queryPatternsMax) {
    throw new InvalidRequestError(`at most ${queryPatternsMax} uriPatterns`)
  }
  try {
    return texts.map(parseUriPattern)
  } catch (error) {
    if (error instanceof UsageError) throw new InvalidRequestError(error.message)
    throw error
  }
}

function parseSources(sources: string[] = []): string[] {
  if (sources.length > querySourcesMax) {
    throw new InvalidRequestError(`at most ${querySourcesMax} sources`)
  }
  return sources
}

function parseCursor(text: string): number {
  const seq = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (Number.isNaN(seq)) throw new InvalidRequestError('malformed cursor')
  return seq
}
