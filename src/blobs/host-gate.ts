// Who may be dialled now. Per host: a request budget, a few sockets, a breaker; over all hosts: a bounded number of sockets.
// It promises that one host's failures, slowness or 429s never hold up another host, and that what is remembered about
// hosts is bounded. It assumes one gate per process and kind of traffic. A crash forgets everything, which is harmless:
// the first requests after a start find out again.
import { LRUCache } from 'lru-cache'
import type { HostReason } from '../domain/blob.ts'
import type { Clock } from '../domain/ports.ts'
import type { FetchLimits } from './limits.ts'
import { createSlots, sleep } from './slots.ts'
import type { Slots } from './slots.ts'

/** `good`: the host answered, whatever it said. `failing`: timeout, network, 5xx. `unknown`: says nothing about the host. */
export type Health = 'good' | 'failing' | 'unknown'

export type Admission =
  { kind: 'entered'; keepAlive: boolean; leave(health: Health): void } | Denied
type Denied = { kind: 'denied'; reason: HostReason; untilMs: number }

export type HostGate = {
  /** Waits shortly where that is enough. Every `entered` must be left, once. `trusted`: a host from the configuration. */
  enter(host: string, options: { signal: AbortSignal; trusted?: boolean }): Promise<Admission>
  /** The host asked for silence (429). Requests until then are denied without dialling. */
  pause(host: string, untilMs: number): void
}

type HostState = {
  slots: Slots
  /** Requests inside or waiting; a state in use is never evicted. */
  users: number
  /** When the budget would be whole again (GCRA's theoretical arrival time). */
  budgetAtMs: number
  failures: number
  answers: number
  openUntilMs: number
  probing: boolean
  pausedUntilMs: number
  /** Of the last look at the clock. */
  seenMs: number
}

export function createHostGate({ clock, limits }: { clock: Clock; limits: FetchLimits }): HostGate {
  const idle = new LRUCache<string, HostState>({ max: limits.hostsMax })
  const inUse = new Map<string, HostState>()
  const allSlots = createSlots(limits.socketsMax)
  const strangerSlots = createSlots(limits.socketsForStrangers)

  async function enter(
    host: string,
    { signal, trusted = false }: { signal: AbortSignal; trusted?: boolean },
  ): Promise<Admission> {
    const state = hold(host)
    const admission = await admit(state, signal, trusted)
    if (admission.kind === 'denied') {
      release(host, state)
      return admission
    }
    const leave = (health: Health) => {
      giveAll(admission.taken)
      record(state, health, clock(), limits)
      release(host, state)
    }
    return { kind: 'entered', keepAlive: admission.known, leave }
  }

  async function admit(
    state: HostState,
    signal: AbortSignal,
    trusted: boolean,
  ): Promise<Denied | { kind: 'admitted'; known: boolean; taken: Slots[] }> {
    const early = refusal(state, clock(), limits)
    if (early !== undefined) return early
    const perSecond = trusted ? limits.trustedRequestsPerSecond : limits.requestsPerSecond
    const waitMs = budgetWait(state, clock(), perSecond)
    if (waitMs > limits.budgetWaitMs) return denied('rate-limited', clock() + waitMs)
    state.budgetAtMs = Math.max(state.budgetAtMs, clock()) + 1000 / perSecond
    await sleep(waitMs, signal)

    const known = trusted || state.answers >= limits.knownAfterAnswers
    // Always in this order, and no holder waits for an earlier kind: no two requests can wait for each other.
    const wanted = known ? [state.slots, allSlots] : [state.slots, strangerSlots, allSlots]
    const taken = await takeAll(wanted, signal, limits.socketWaitMs)
    if (taken === undefined) return denied('rate-limited', clock() + limits.budgetWaitMs)

    // Asked again: the breaker may have opened while we waited.
    const late = refusal(state, clock(), limits)
    if (late !== undefined) {
      giveAll(taken)
      return late
    }
    state.probing = state.failures >= limits.failuresMax
    return { kind: 'admitted', known, taken }
  }

  function pause(host: string, untilMs: number): void {
    const state = hold(host)
    state.pausedUntilMs = Math.max(state.pausedUntilMs, untilMs)
    release(host, state)
  }

  function hold(host: string): HostState {
    const state = inUse.get(host) ?? idle.get(host) ?? newState(limits)
    followClock(state, clock())
    state.users += 1
    inUse.set(host, state)
    return state
  }

  function release(host: string, state: HostState): void {
    state.users -= 1
    if (state.users > 0) return
    inUse.delete(host)
    idle.set(host, state)
  }

  return { enter, pause }
}

function newState(limits: FetchLimits): HostState {
  return {
    slots: createSlots(limits.socketsPerHost),
    users: 0,
    budgetAtMs: 0,
    failures: 0,
    answers: 0,
    openUntilMs: 0,
    probing: false,
    pausedUntilMs: 0,
    seenMs: 0,
  }
}

/** Set back by hours, the clock takes what was to last for seconds with it. */
function followClock(state: HostState, nowMs: number): void {
  const lostMs = Math.max(0, state.seenMs - nowMs)
  state.budgetAtMs -= lostMs
  state.openUntilMs -= lostMs
  state.pausedUntilMs -= lostMs
  state.seenMs = nowMs
}

function denied(reason: HostReason, untilMs: number): Denied {
  return { kind: 'denied', reason, untilMs }
}

function refusal(state: HostState, nowMs: number, limits: FetchLimits): Denied | undefined {
  if (nowMs < state.pausedUntilMs) return denied('rate-limited', state.pausedUntilMs)
  if (state.failures < limits.failuresMax) return undefined
  if (nowMs < state.openUntilMs) return denied('host-failing', state.openUntilMs)
  // Half open: one probe finds out, the others wait for its result.
  return state.probing ? denied('host-failing', nowMs + limits.retryAfterMs) : undefined
}

/** A bucket of one second's requests that refills evenly. */
function budgetWait(state: HostState, nowMs: number, perSecond: number): number {
  const intervalMs = 1000 / perSecond
  return Math.max(0, state.budgetAtMs + intervalMs - 1000 - nowMs)
}

async function takeAll(
  wanted: Slots[],
  signal: AbortSignal,
  waitMs: number,
): Promise<Slots[] | undefined> {
  const taken: Slots[] = []
  for (const slots of wanted) {
    if (!(await slots.take({ signal, waitMs }))) {
      giveAll(taken)
      return undefined
    }
    taken.push(slots)
  }
  return taken
}

function giveAll(taken: Slots[]): void {
  for (const slots of taken.toReversed()) slots.give()
}

function record(state: HostState, health: Health, nowMs: number, limits: FetchLimits): void {
  state.probing = false
  switch (health) {
    case 'good':
      state.failures = 0
      state.answers += 1
      break
    case 'failing':
      state.failures += 1
      state.answers = 0
      if (state.failures >= limits.failuresMax) state.openUntilMs = nowMs + limits.breakMs
      break
    case 'unknown':
      break
    default:
      health satisfies never
  }
}
