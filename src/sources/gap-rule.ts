// When the first event after a (re)connect tells that events in between were lost although the host said nothing.
//
// A host replays everything after the cursor, so event time should go on where it stopped, however long we were away.
// Sequence numbers rise strictly but a PDS leaves holes in them (it deletes a deleted account's events), so a hole alone
// proves nothing; a hole together with a silence longer than this stream ever keeps does (reference/reliability.md 2.1).
// A false alarm costs one sweep; a miss is what the nightly reconciliation is for. On a relay the times come from the accounts' hosts.

/** A silence under this is never a jump, however busy the stream is. */
export const jumpSilenceMsMin = 30_000
/** The longest silence believed while this process has not yet seen how busy the stream is. */
export const jumpSilenceMsUnknown = 600_000
/** A busy hour is forgotten after some hundred events, so that the night's pace becomes the normal one. */
const normalDecay = 0.995

export type Point = { seq: number; timeMs: number | null }

/**
 * `continuous`: nothing speaks for a loss. `jump`: events are missing between the two.
 * `renumbered`: the host's numbers began anew below our cursor; the event is new although its number is old.
 */
export function judgeFirst(input: {
  cursor: Point
  first: Point
  /** The stream's usual longest silence; undefined until it is known. */
  normalSilenceMs: number | undefined
}): 'continuous' | 'jump' | 'renumbered' {
  const { cursor, first, normalSilenceMs } = input
  if (first.seq === cursor.seq + 1) return 'continuous'
  if (first.timeMs === null || cursor.timeMs === null) return 'continuous'
  const believed =
    normalSilenceMs === undefined
      ? jumpSilenceMsUnknown
      : Math.max(jumpSilenceMsMin, 2 * normalSilenceMs)
  if (first.timeMs - cursor.timeMs <= believed) return 'continuous'
  return first.seq > cursor.seq ? 'jump' : 'renumbered'
}

/** The longest recent silence between two events that followed each other; it fades as events come closer together. */
export function nextNormalSilence(normalMs: number | undefined, silenceMs: number): number {
  return Math.max(silenceMs, (normalMs ?? 0) * normalDecay)
}
