// Where we are in one host's stream, and what each arriving event means for that. Pure but for the one object it keeps.
//
// `stored` is what the database holds (a cursor move starts from it); `seen` is the last event of the batch being built.
// They differ only within a batch, and after the host's numbers began anew, when `seen` is lower or null.
import type { Gap, GapReason } from '../domain/batch.ts'
import { judgeFirst, nextNormalSilence } from './gap-rule.ts'

/** A host whose clock is further ahead is not believed about time. */
const clockAheadMsMax = 300_000

export type Position = {
  stored: number | null
  seen: number | null
  /** The latest event time seen; event times on a relay do not rise strictly. */
  timeMs: number | null
  /** True from each connect to the first event taken. */
  fresh: boolean
  normalSilenceMs: number | undefined
  /** A loss we know of whose end is the next event taken. */
  openGap: Pick<Gap, 'reason' | 'fromSeq' | 'fromTimeMs'> | undefined
}

export function startPosition(cursor: {
  position: number | null
  eventTimeMs: number | null
}): Position {
  const position: Position = {
    stored: cursor.position,
    seen: cursor.position,
    timeMs: cursor.eventTimeMs,
    fresh: true,
    normalSilenceMs: undefined,
    openGap: undefined,
  }
  if (cursor.position === null) openGap(position, 'first-start')
  return position
}

/** The first reason stays: what follows before the next event is part of the same loss. */
export function openGap(position: Position, reason: GapReason): void {
  position.openGap ??= { reason, fromSeq: position.seen, fromTimeMs: position.timeMs }
}

/** The host says our cursor lies in its future: its numbers began anew, ours mean nothing there. */
export function forgetNumbers(position: Position): void {
  openGap(position, 'future-cursor')
  position.seen = null
}

/** Moves the position past the event, or says that it was had before. The gap, if any, goes into the same batch. */
export function arrive(
  position: Position,
  event: { seq: number; timeMs: number | null },
  nowMs: number,
): { kind: 'skip' } | { kind: 'take'; gap?: Gap } {
  const timeMs =
    event.timeMs !== null && event.timeMs <= nowMs + clockAheadMsMax ? event.timeMs : null
  const judged = judge(position, { seq: event.seq, timeMs })
  if (position.seen !== null && event.seq <= position.seen && judged !== 'renumbered') {
    return { kind: 'skip' }
  }
  if (judged !== 'continuous') openGap(position, 'sequence-jump')
  const gap = position.openGap && { ...position.openGap, toSeq: event.seq, toTimeMs: timeMs }

  if (gap === undefined && timeMs !== null && position.timeMs !== null) {
    const silenceMs = Math.max(0, timeMs - position.timeMs)
    position.normalSilenceMs = nextNormalSilence(position.normalSilenceMs, silenceMs)
  }
  position.seen = event.seq
  if (timeMs !== null) position.timeMs = Math.max(position.timeMs ?? 0, timeMs)
  position.fresh = false
  position.openGap = undefined
  return gap === undefined ? { kind: 'take' } : { kind: 'take', gap }
}

function judge(position: Position, first: { seq: number; timeMs: number | null }) {
  if (!position.fresh || position.seen === null) return 'continuous'
  return judgeFirst({
    cursor: { seq: position.seen, timeMs: position.timeMs },
    first,
    normalSilenceMs: position.normalSilenceMs,
  })
}
