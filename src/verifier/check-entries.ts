// The checks of entries in order: bytes, numbers, links, time, log, facts told twice, intents and results, erasures.
//
// Promises: trusts nothing that is stored beside an entry; the same entries give the same findings, however many are
// added at a time. Memory: 4 to 8 bytes an entry, and what is found.
import { sameBytes, textOf } from '../ledger/bytes.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import { createActionBook, tooScattered } from './action-book.ts'
import { createFactChecks } from './check-facts.ts'
import { parseRecovery } from './eras.ts'
import type { Era } from './eras.ts'
import type { Findings } from './findings.ts'
import { entryProblem, scanEntry, timeLength } from './scan-entry.ts'
import type { EntryPlaces } from './scan-entry.ts'

export type Erasure = { seq: number; ranges: [number, number][] }

export type EntryChecks = {
  /** The next entry. Gives its leaf hash. `places` is filled anew by each call. */
  add(bytes: Uint8Array): Uint8Array
  /** Where the fields of the last entry stand; undefined when it was none. */
  places(): EntryPlaces | undefined
  eras(): readonly Era[]
  erasures(): readonly Erasure[]
  /** Whether some facts may be told twice: then every entry is shown to `lookAgain`, and `end` says. */
  needsSecondLook(): boolean
  lookAgain(bytes: Uint8Array, seq: number): void
  end(): { openIntents: number; firstTime: string | undefined; lastTime: string | undefined }
}

const noPlaces = (): EntryPlaces => ({
  com: 0,
  comEnd: 0,
  idem: 0,
  log: 0,
  logEnd: 0,
  prev: 0,
  pub: 0,
  pubEnd: 0,
  seq: 0,
  time: 0,
  type: 0,
  typeEnd: 0,
})

/** `entries`: how many there will be. `log`: what the first names, if that is known. `from`: checks a tail only. */
export function createEntryChecks(options: {
  findings: Findings
  entries: number
  seed: number
  log?: string | undefined
  /** Keeps every key in full: no second look, but some hundred bytes an entry. */
  exact?: boolean
  from?: { seq: number; prev: Uint8Array } | undefined
}): EntryChecks {
  const { findings, from } = options
  const places = noPlaces()
  const facts = createFactChecks({ ...options, exact: options.exact === true })
  const actions = createActionChecks(findings, from !== undefined)
  const names = createNames(options.log, from !== undefined, findings)
  const erasures: Erasure[] = []
  let next = from?.seq ?? 0
  let prev = from?.prev ?? new Uint8Array(32)
  let isEntry = false
  let time: Uint8Array | undefined
  let firstTime: string | undefined

  const checkMeaning = (bytes: Uint8Array, seq: number) => {
    const type = knownType(bytes, places)
    if (type === undefined) return names.look(bytes, places, seq, undefined)
    const pub = parsePub(bytes, places)
    if (type === 'action.intent') actions.check(seq, 'intent', pub)
    if (type === 'action.result') actions.check(seq, 'result', pub)
    if (type === 'account.erased' && 'erased' in pub) {
      const ranges = parseRanges(pub['erased'], seq)
      if (ranges === undefined) findings.tampered(seq, 'what it says of erased entries cannot be')
      else erasures.push({ seq, ranges })
    }
    return names.look(bytes, places, seq, type === 'log.recovered' ? pub : undefined)
  }

  return {
    add(bytes) {
      const hash = leafHashOf(bytes)
      const seq = next
      isEntry = scanEntry(bytes, places)
      if (isEntry) {
        if (places.seq !== seq) findings.tampered(seq, `it says that it is entry ${places.seq}`)
        if (!isHexOf(bytes, places.prev, prev))
          findings.tampered(seq, 'its link to the entry before does not hold')
        if (time !== undefined && isEarlier(bytes, places.time, time))
          findings.tampered(seq, 'its time is before that of the entry before')
        time = bytes.slice(places.time, places.time + timeLength)
        firstTime ??= textOf(time)
        facts.add(bytes, places.idem, seq)
        checkMeaning(bytes, seq)
      } else findings.tampered(seq, entryProblem(bytes))
      prev = hash
      next += 1
      return hash
    },
    places: () => (isEntry ? places : undefined),
    eras: names.eras,
    erasures: () => erasures,
    needsSecondLook: () => facts.needsSecondLook(),
    lookAgain(bytes, seq) {
      if (scanEntry(bytes, places)) facts.lookAgain(bytes, places.idem, seq)
    },
    end: () => ({
      openIntents: actions.open(),
      firstTime,
      lastTime: time === undefined ? undefined : textOf(time),
    }),
  }
}

/** An intent for each action, then at most one result. Of a tail, the intent may stand before its first entry. */
function createActionChecks(findings: Findings, isTail: boolean) {
  const actions = createActionBook()
  let isScattered = false
  return {
    open: () => actions.open(),
    check(seq: number, verb: 'intent' | 'result', pub: Record<string, unknown>): void {
      const action = pub['action']
      if (!Number.isSafeInteger(action) || (action as number) < 0)
        return findings.tampered(seq, 'it names no action')
      const problem =
        verb === 'intent'
          ? actions.intent(action as number)
          : actions.result(action as number, pub['outcome'] === 'superseded')
      if (problem === undefined) return undefined
      if (problem === tooScattered) {
        if (!isScattered) findings.incomplete(seq, problem)
        isScattered = true
        return undefined
      }
      if (isTail && problem.includes('without an intent')) return undefined
      return findings.tampered(seq, problem)
    },
  }
}

/** The name of the log changes nowhere but in an entry that admits a loss. */
function createNames(expected: string | undefined, isTail: boolean, findings: Findings) {
  const eras: Era[] = expected === undefined ? [] : [{ log: expected, from: 0 }]
  let current: Uint8Array | undefined = expected === undefined ? undefined : jsonBytes(expected)
  return {
    eras: () => eras as readonly Era[],
    look(
      bytes: Uint8Array,
      places: EntryPlaces,
      seq: number,
      recovered: Record<string, unknown> | undefined,
    ): void {
      const isSame = current !== undefined && isAt(bytes, places.log, places.logEnd, current)
      if (isSame && recovered === undefined) return
      const log = JSON.parse(
        textOf(bytes.subarray(places.log - 1, places.logEnd + 1)) ?? '',
      ) as string
      if (current === undefined && (recovered === undefined || isTail)) {
        eras.push({ log, from: seq })
        current = bytes.slice(places.log, places.logEnd)
        return
      }
      if (recovered === undefined)
        return findings.tampered(seq, `it belongs to another log, ${log}`)
      const recovery = parseRecovery(recovered)
      const before = eras.at(-1)?.log ?? (seq === 0 ? recovery?.previousLog : undefined)
      const isNew = log !== recovery?.previousLog && eras.every((era) => era.log !== log)
      if (
        recovery === undefined ||
        recovery.size !== seq ||
        recovery.previousLog !== before ||
        !isNew
      )
        return findings.tampered(seq, 'what it says of the log before it cannot be')
      if (eras.length === 0) eras.push({ log: recovery.previousLog, from: 0 })
      eras.push({ log, from: seq, recovery })
      current = bytes.slice(places.log, places.logEnd)
    },
  }
}

const meaning = ['action.intent', 'action.result', 'account.erased', 'log.recovered'] as const
const meaningBytes = meaning.map(jsonBytes)

function knownType(bytes: Uint8Array, places: EntryPlaces): (typeof meaning)[number] | undefined {
  // All of them are this long or one longer.
  if (places.typeEnd - places.type < 13 || places.typeEnd - places.type > 14) return undefined
  return meaning.find((_, i) =>
    isAt(bytes, places.type, places.typeEnd, meaningBytes[i] as Uint8Array),
  )
}

function parsePub(bytes: Uint8Array, places: EntryPlaces): Record<string, unknown> {
  return JSON.parse(textOf(bytes.subarray(places.pub, places.pubEnd)) ?? '{}') as Record<
    string,
    unknown
  >
}

/** Inclusive ranges of entries before this one. */
function parseRanges(value: unknown, seq: number): [number, number][] | undefined {
  if (!Array.isArray(value)) return undefined
  const isRange = (range: unknown): range is [number, number] =>
    Array.isArray(range) &&
    range.length === 2 &&
    range.every((end) => Number.isSafeInteger(end)) &&
    range[0] >= 0 &&
    range[0] <= range[1] &&
    range[1] < seq
  return value.every(isRange) ? value : undefined
}

function isHexOf(bytes: Uint8Array, at: number, hash: Uint8Array): boolean {
  for (let i = 0; i < hash.length; i += 1) {
    const byte = hash[i] as number
    if (bytes[at + 2 * i] !== hexDigit(byte >> 4)) return false
    if (bytes[at + 2 * i + 1] !== hexDigit(byte & 15)) return false
  }
  return true
}

function hexDigit(value: number): number {
  return value < 10 ? 0x30 + value : 0x57 + value
}

function isEarlier(bytes: Uint8Array, at: number, than: Uint8Array): boolean {
  for (let i = 0; i < than.length; i += 1) {
    const byte = bytes[at + i] as number
    if (byte !== than[i]) return byte < (than[i] as number)
  }
  return false
}

function isAt(bytes: Uint8Array, from: number, to: number, expected: Uint8Array): boolean {
  return to - from === expected.length && sameBytes(bytes.subarray(from, to), expected)
}

/** A text as it stands between its quotes. */
function jsonBytes(text: string): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(text).slice(1, -1))
}
