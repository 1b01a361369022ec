// What a content or a list would match of what was seen, in words: shown before anything goes live.
import type { SeenFacts } from '../banks/admission.ts'
import { refusalSentences } from '../banks/new-signal.ts'
import type { Examined } from '../roles/admit.ts'
import type { Io } from './io.ts'
import { count, shortTime } from './output.ts'

/** For --json: no signal's value. */
export function examinedForMachines({ contents, ...rest }: Examined) {
  return {
    ...rest,
    contents: contents.map(({ signals, refused, harmless, seen }) => ({
      types: signals.map(({ type }) => type),
      refused: refused.map(({ signal, refusal }) => ({ type: signal.type, reason: refusal })),
      ...(harmless !== undefined && { harmless }),
      seen,
    })),
  }
}

/** `name`: of each content, where there are several. */
export function printExamined(io: Io, examined: Examined, days: number, names: string[]): void {
  for (const [index, { refused, harmless }] of examined.contents.entries()) {
    const who = examined.contents.length > 1 ? `${names[index]}: ` : ''
    for (const { signal, refusal } of refused)
      io.out(`${who}${signal.type} left out: ${refusalSentences[refusal]}`)
    if (harmless !== undefined)
      io.out(
        `${who}a harmless picture would match (${harmless.what}, distance ${harmless.distance}): a second person approves it.`,
      )
  }
  printSeen(io, { days, comparedBlobs: examined.comparedBlobs, ...examined.total })
  const { takedowns, labels, hours, hoursToUndo } = examined.actions
  if (takedowns + labels > 0) {
    io.out(
      `it would ask for up to ${count(takedowns, 'takedown')} and ${count(labels, 'label')}, once a person confirms: ${inHours(hours)} at the permitted rate, ${inHours(hoursToUndo)} to take back.`,
    )
  }
}

export function printSeen(
  io: Io,
  seen: Pick<SeenFacts, 'days' | 'comparedBlobs' | 'blobs' | 'sightings' | 'accounts'> & {
    oldest: Date | string | null
  },
): void {
  if (seen.comparedBlobs === 0) {
    io.out(`nothing was seen in the last ${seen.days} days to compare with.`)
    return
  }
  const oldest = seen.oldest === null ? '' : `, the oldest ${shortTime(new Date(seen.oldest))}`
  io.out(
    `would match ${count(seen.blobs, 'blob')} of ${seen.comparedBlobs} seen in the last ${seen.days} days: ${count(seen.sightings, 'sighting')}, ${count(seen.accounts, 'account')}${oldest}.`,
  )
}

function inHours(hours: number): string {
  return Number.isFinite(hours) ? `${hours} h` : 'never'
}
