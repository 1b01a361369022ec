// One GET to a host that others chose, with every limit held; the door through which this room reaches the network.
// It promises: the pair's address only for the pair's exact origin and never after a redirect; every other hop through
// the address guard; no cookies, no credentials; budget, sockets and breaker per hop. It never throws for what the
// other side does. It assumes that the caller verifies what the bytes claim to be. A crash leaves nothing behind.
import type { Clock } from '../domain/ports.ts'
import { createGuardedFetch } from './guarded-fetch.ts'
import type { Fetch } from './guarded-fetch.ts'
import { createHostGate } from './host-gate.ts'
import type { Health } from './host-gate.ts'
import { pairedAddress } from './host-pair.ts'
import type { HostPair } from './host-pair.ts'
import { withDefaults } from './limits.ts'
import type { FetchLimits } from './limits.ts'
import { createHop } from './one-hop.ts'
import type { HopAnswer, HostAnswer, Target } from './one-hop.ts'

export type { HostAnswer } from './one-hop.ts'

export type HostRequest = {
  /** Origin and path as the outside names them, before the pair is applied. */
  url: URL
  bytesMax: number
  accept?: string
  signal: AbortSignal
}

export type HostClient = {
  readonly limits: FetchLimits
  /** May be called concurrently. An aborted signal gives `deferred` with reason `timeout`, and does not blame the host. */
  get(request: HostRequest): Promise<HostAnswer>
}

export type HostClientOptions = {
  clock: Clock
  pair?: HostPair | undefined
  limits?: Partial<FetchLimits>
  /** What hosts see us as. Some would answer a scanner differently, so the operator decides. */
  userAgent?: string
  /** For tests that need a public host. The SSRF tests run on the real one. */
  guardedFetch?: Fetch
}

export function createHostClient(options: HostClientOptions): HostClient {
  const { clock, pair, userAgent = 'blobwatch' } = options
  const limits = withDefaults(options.limits)
  const guardedFetch = options.guardedFetch ?? createGuardedFetch()
  const gate = createHostGate({ clock, limits })
  const hop = createHop({ clock, limits, userAgent })

  async function get(request: HostRequest): Promise<HostAnswer> {
    let target = firstTarget(request.url, pair, guardedFetch)
    let timeLeftMs = limits.totalTimeMs
    for (let redirects = 0; redirects <= limits.redirectsMax; redirects++) {
      const startedMs = clock()
      const answer = await throughGate(target, request, timeLeftMs)
      timeLeftMs -= clock() - startedMs
      if (answer.kind !== 'redirect') return answer
      if (timeLeftMs <= 0) return late(clock(), limits)
      target = { public: answer.to, dialled: answer.to, fetch: guardedFetch, trusted: false }
    }
    return { kind: 'unavailable', reason: 'bad-answer' }
  }

  async function throughGate(
    target: Target,
    { bytesMax, accept = '*/*', signal }: HostRequest,
    timeMs: number,
  ): Promise<HopAnswer> {
    const host = target.public.origin
    const admission = await gate.enter(host, { signal, trusted: target.trusted })
    if (admission.kind === 'denied') {
      return { kind: 'deferred', reason: admission.reason, untilMs: admission.untilMs }
    }
    let health: Health = 'unknown'
    try {
      const { keepAlive } = admission
      const answer = await hop({ target, bytesMax, accept, signal, timeMs, keepAlive })
      health = signal.aborted ? 'unknown' : healthOf(answer)
      if (isToldToWait(answer)) gate.pause(host, answer.untilMs)
      return answer
    } finally {
      admission.leave(health)
    }
  }

  return { limits, get }
}

function firstTarget(url: URL, pair: HostPair | undefined, guardedFetch: Fetch): Target {
  const address = pairedAddress(url.origin, pair)
  if (address === undefined) {
    return { public: url, dialled: url, fetch: guardedFetch, trusted: false }
  }
  // Set part by part: resolved against the address, a path such as `//10.0.0.1/x` would name another host.
  const dialled = new URL(address)
  dialled.pathname = url.pathname
  dialled.search = url.search
  return { public: url, dialled, fetch: globalThis.fetch, trusted: true }
}

function healthOf(answer: HopAnswer): Health {
  switch (answer.kind) {
    case 'ok':
    case 'refused':
    case 'redirect':
      return 'good'
    case 'unavailable':
      return 'unknown'
    case 'deferred':
      return answer.reason === 'rate-limited' ? 'unknown' : 'failing'
    default:
      return answer satisfies never
  }
}

function isToldToWait(answer: HopAnswer): answer is HopAnswer & { kind: 'deferred' } {
  return answer.kind === 'deferred' && answer.toldToWait === true
}

function late(nowMs: number, limits: FetchLimits): HostAnswer {
  return { kind: 'deferred', reason: 'timeout', untilMs: nowMs + limits.retryAfterMs }
}
