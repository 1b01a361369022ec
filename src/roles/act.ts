// The actor: leases released actions, sends each, records the result.
import type { ActionKind } from '../domain/bank.ts'
import type { SendOptions } from '../actions/send.ts'
import { sendAction } from '../actions/send.ts'
import type { Database } from '../db/client.ts'
import { claimAction, finish } from '../steps/act.ts'
import type { ClaimedAction } from '../steps/act.ts'
import { crashPoint } from '../telemetry/crash-point.ts'
import type { Telemetry } from '../telemetry/events.ts'

export type ActRoleOptions = Omit<SendOptions, 'nowMs' | 'signal'> & {
  db: Database
  clock: () => number
  random: () => number
  kinds: ActionKind[]
  telemetry: Telemetry
  onFinished: () => void
}

export async function claimActWork(
  options: ActRoleOptions,
  free: number,
): Promise<ClaimedAction[]> {
  const work: ClaimedAction[] = []
  while (work.length < free) {
    const claimed = await claimAction(options.db, { kinds: options.kinds, nowMs: options.clock() })
    if (claimed === undefined) break
    work.push(claimed)
  }
  return work
}

export async function act(
  claimed: ClaimedAction,
  options: ActRoleOptions,
  signal: AbortSignal,
): Promise<void> {
  const startedMs = options.clock()
  crashPoint('send:before')
  const sent = await sendAction(claimed, { ...options, nowMs: options.clock(), signal })
  crashPoint('send:after')
  const result = await finish(options.db, {
    claimed,
    ...sent,
    nowMs: options.clock(),
    random: options.random(),
  })
  options.onFinished()
  if (result === 'lost') return
  options.telemetry.actionEnded({
    kind: claimed.kind,
    outcome: sent.outcome.kind,
    ...(sent.outcome.kind !== 'done' && { reason: sent.outcome.reason }),
    actionId: claimed.action,
    ms: options.clock() - startedMs,
  })
}
