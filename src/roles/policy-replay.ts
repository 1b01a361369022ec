// What the last days would have looked like under other settings of one bank, beside the settings of now: every recorded
// match goes through gate() and decide() twice. Changes nothing and sends nothing.
//
// Assumes that every place lies on the administered host where one is configured, and that no person had decided
// anything: it says what the policy does, not what people did.
import type { Database } from '../db/client.ts'
import { matchedAfter, liveContents, placesOfBlobs } from '../cases/replay.ts'
import type { ReplayMatch, ReplayPlace } from '../cases/replay.ts'
import type { Bank, Match } from '../domain/bank.ts'
import type { Hex } from '../domain/blob.ts'
import { decide } from '../domain/decide.ts'
import { gate } from '../domain/gate.ts'
import { isOfOther } from '../domain/other-type.ts'
import { isExact } from '../domain/signal-kind.ts'
import { maxOf, placeOf } from './explain-now.ts'
import type { Situation } from './explain-now.ts'
import { createReplaySum } from './replay-sum.ts'
import type { ReplaySum } from './replay-sum.ts'
import { stopIfAsked } from './seen-window.ts'

export type Banks = ReadonlyMap<number, Bank>

export type Replay = { now: ReplaySum; then: ReplaySum }

/** `extra`: matches that are not recorded, because the bank did not look that far; by blob. */
export async function replayPolicy(options: {
  db: Database
  now: Banks
  then: Banks
  extra: ReadonlyMap<Hex, Match[]>
  situation: Situation
  since: Date
  actionsPerContent: number
  nowMs: number
  onProgress?: (blobs: number) => void
  signal?: AbortSignal
}): Promise<Replay> {
  const { db, since, extra } = options
  const sums = { now: createReplaySum(options), then: createReplaySum(options) }
  const left = new Set(extra.keys())
  let done = 0
  const look = async (blobs: { cid: Hex; matches: Match[] }[]) => {
    stopIfAsked(options.signal)
    const live = await liveContents(
      db,
      blobs.flatMap(({ matches }) => matches.map((match) => match.contentId)),
      new Date(options.nowMs),
    )
    const places = await placesOfBlobs(
      db,
      blobs.map(({ cid }) => cid),
      since,
    )
    for (const { cid, matches } of blobs) {
      const blob = {
        cid,
        matches: matches.filter((match) => live.has(match.contentId)),
        places: places.get(cid) ?? [],
      }
      judge(blob, options.now, options.situation, sums.now)
      judge(blob, options.then, options.situation, sums.then)
    }
    done += blobs.length
    options.onProgress?.(done)
  }
  let after = ''
  for (;;) {
    const page = await matchedAfter(db, after)
    if (page.length === 0) break
    after = page.at(-1)?.cid ?? after
    await look(
      page.map(({ cid, matches }) => {
        left.delete(cid)
        return { cid, matches: together(matches.flatMap(recorded), extra.get(cid) ?? []) }
      }),
    )
  }
  const others = [...left]
  for (let at = 0; at < others.length; at += 500) {
    const page = others.slice(at, at + 500)
    await look(page.map((cid) => ({ cid, matches: extra.get(cid) ?? [] })))
  }
  return { now: sums.now.end(), then: sums.then.end() }
}

/** The match, and the one of a bank of harmless pictures that kept it from counting: that one is not recorded by itself. */
function recorded(row: ReplayMatch): Match[] {
  const { signal, content, bank, type, distance, variant } = row
  const match: Match = {
    signalId: signal,
    contentId: content,
    bankId: bank,
    type,
    distance,
    variant,
  }
  if (row.setAsideBy === null || row.setAsideByBank === null) return [match]
  const negative: Match = {
    // No signal's: its own is not recorded.
    signalId: -row.setAsideBy,
    contentId: row.setAsideBy,
    bankId: row.setAsideByBank,
    // An exact match gives way to an exact one only.
    type: isExact(type) ? type : 'pdq',
    distance: 0,
    variant: 'original',
  }
  return [match, negative]
}

/** Each signal once, by its nearest match. */
function together(some: Match[], more: Match[]): Match[] {
  const nearest = new Map<number, Match>()
  for (const match of [...some, ...more]) {
    const known = nearest.get(match.signalId)
    if (known === undefined || match.distance < known.distance) nearest.set(match.signalId, match)
  }
  return [...nearest.values()]
}

function judge(
  blob: { cid: Hex; matches: Match[]; places: ReplayPlace[] },
  banks: Banks,
  { deploymentMode, canLabel, canPreserve, administered }: Situation,
  sum: ReturnType<typeof createReplaySum>,
): void {
  const near = blob.matches.filter((match) => {
    const bank = banks.get(match.bankId)
    if (bank === undefined) return false
    // How far a plug-in's type looks is its manifest's, and no policy's.
    return isOfOther(match.type) || match.distance <= (maxOf(match.type, bank) ?? 0)
  })
  const { counted, setAside } = gate(near, banks, blob.cid)
  if (blob.places.length === 0) return
  sum.addBlob(blob.cid, counted.length > 0, setAside.length > 0)
  if (counted.length === 0) return
  for (const place of blob.places) {
    const decision = decide({
      deploymentMode,
      retroactive: false,
      matches: counted,
      banks,
      place: { ...placeOf(place), administered },
      canLabel,
      canPreserve,
    })
    sum.addDecision(blob.cid, place, decision)
  }
}
