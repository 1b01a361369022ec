// What contents would match of the kept window if they were banked: counted before anything is.
//
// Promises: reads only. Exact: a blob counts when a scan of it with that content in a bank of that distance would match,
// and it was seen in the window. Needs memory for what is found, not for what is searched.
import type { Database } from '../db/client.ts'
import type { AnySignalType, Hex, SignalType } from '../domain/blob.ts'
import { isExact } from '../domain/signal-kind.ts'
import { signalBytes } from '../domain/signal-batch.ts'
import { UsageError } from '../domain/errors.ts'
import { createPdqScan } from './seen-pdq.ts'
import { lookAtOthers } from './seen-others.ts'
import { createValueTable } from './value-table.ts'
import {
  cidAt,
  hasBits,
  isWindowEmpty,
  placesSince,
  signalPages,
  stopIfAsked,
  viewPages,
  windowStart,
} from './seen-window.ts'
import type { Progress, SeenPlaces, SignalPage } from './seen-window.ts'

/** `distanceMax`: of the bank that it would be in, or of the plug-in, whose `version` it is; a digest matches at 0 only. */
export type PreviewSignal = {
  type: AnySignalType
  value: Hex
  distanceMax: number
  version?: string
}

export type ContentPreview = {
  blobs: number
  sightings: number
  accounts: number
  oldest: Date | null
}

export type Preview = {
  /** Stored blobs that were looked at; 0 when nothing was seen in the window. What was not seen lately counts nowhere else. */
  comparedBlobs: number
  /** Each blob and account once, however many contents match it. */
  total: ContentPreview
  /** By position in `contents`; only those that match something. */
  byContent: Map<number, ContentPreview>
  /** At most: one for each subject. Banks, hosts and what people decided may permit fewer. */
  wouldAct: { takedowns: number; labels: number }
}

/** Pairs of a blob and a distinct signal. More than this is no list of known items. */
export const previewHitsMax = 20_000_000

/** Throws UsageError when far too much matches, RetryableError when stopped. */
export async function previewContents(options: {
  db: Database
  contents: readonly (readonly PreviewSignal[])[]
  keepDays: number
  nowMs: number
  onProgress?: Progress
  signal?: AbortSignal
}): Promise<Preview> {
  const { db, signal } = options
  const since = windowStart(options.keepDays, options.nowMs)
  const wanted = collect(options.contents)
  if (wanted.length === 0 || (await isWindowEmpty(db, since))) return nothing()
  await using found = await createFinder(wanted)
  let comparedBlobs = 0
  for await (const page of signalPages(db, { onProgress: options.onProgress, signal })) {
    comparedBlobs += page.count
    await found.look(page)
  }
  if (wanted.some(({ type }) => type === 'pdq'))
    for await (const page of viewPages(db, { signal })) await found.look(page)
  await lookAtOthers(db, wanted.flatMap(ofOthers), {
    onHit: (cid, { index }) => found.note(cid, index),
    signal,
  })

  const places = new Map<Hex, SeenPlaces>()
  for await (const page of placesSince(db, found.cids(), since)) {
    stopIfAsked(signal)
    for (const place of page) places.set(place.cid, place)
  }
  return { comparedBlobs, ...summed(wanted, found, places) }
}

/** A value that is looked for, once, with the contents that have it. */
type Wanted = PreviewSignal & { contents: number[] }

function collect(contents: readonly (readonly PreviewSignal[])[]): Wanted[] {
  const wanted = new Map<string, Wanted>()
  for (const [content, signals] of contents.entries()) {
    for (const signal of signals) {
      const distanceMax = isExact(signal.type) || signal.type === 'clip' ? 0 : signal.distanceMax
      const key = `${signal.type} ${distanceMax} ${signal.value}`
      const known = wanted.get(key)
      if (known === undefined) wanted.set(key, { ...signal, distanceMax, contents: [content] })
      else if (known.contents.at(-1) !== content) known.contents.push(content)
    }
  }
  return [...wanted.values()]
}

type Finder = AsyncDisposable & {
  look(page: SignalPage): Promise<void>
  note(cid: Hex, wanted: number): void
  /** Of all that was found, in the order of their numbers. */
  cids(): Hex[]
  /** By position in what is looked for: the numbers of the blobs. */
  blobsOf(wanted: number): ReadonlySet<number>
}

async function createFinder(wanted: readonly Wanted[]): Promise<Finder> {
  await using stack = new AsyncDisposableStack()
  const numbers = new Map<Hex, number>()
  const found = new Map<number, Set<number>>()
  let hits = 0
  const note = (cid: Hex, index: number) => {
    const number = numbers.get(cid) ?? numbers.size
    numbers.set(cid, number)
    const blobs = found.get(index) ?? new Set()
    if (!blobs.has(number)) hits += 1
    if (hits > previewHitsMax)
      throw new UsageError(
        `these signals match blobs of the last days more than ${previewHitsMax} times: they are no list of known items`,
      )
    found.set(index, blobs.add(number))
  }
  const searches = digestSearches(wanted)
  const pdq = ofType(wanted, 'pdq')
  if (pdq.length > 0) searches.push(await pdqSearch(pdq, stack))
  const kept = stack.move()
  return {
    async look(page) {
      for (const search of searches)
        await search(page, (row, index) => note(cidAt(page, row), index))
    },
    note,
    cids: () => [...numbers.keys()],
    blobsOf: (index) => found.get(index) ?? new Set(),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

type Search = (
  page: SignalPage,
  onHit: (row: number, wanted: number) => void,
) => Promise<void> | void
type Indexed = Wanted & { index: number }

function digestSearches(wanted: readonly Wanted[]): Search[] {
  const searches: Search[] = []
  for (const type of ['sha256', 'md5', 'sha1'] as const) {
    const own = ofType(wanted, type)
    if (own.length === 0) continue
    const width = signalBytes[type]
    const table = createValueTable(own.length, width)
    for (const { value } of own) table.add(Buffer.from(value, 'hex'), 0)
    searches.push((page, onHit) => {
      const values = type === 'sha256' ? page.cids : page[type]
      for (let row = 0; row < values.length / width; row++) {
        if (type !== 'sha256' && ((page.has[row] as number) & hasBits[type]) === 0) continue
        const found = own[table.find(values, row * width)]
        if (found !== undefined) onHit(row, found.index)
      }
    })
  }
  return searches
}

async function pdqSearch(own: Indexed[], stack: AsyncDisposableStack): Promise<Search> {
  const wanted = own.map(({ value, distanceMax }) => ({ value, radius: distanceMax }))
  const scan = stack.use(await createPdqScan(wanted))
  return (page, onHit) => scan.look(page, (row, index) => onHit(row, (own[index] as Indexed).index))
}

function ofOthers(one: Wanted, index: number) {
  const { version } = one
  return version === undefined ? [] : [{ ...one, version, index }]
}

function ofType(wanted: readonly Wanted[], type: SignalType): Indexed[] {
  return wanted.map((one, index) => ({ ...one, index })).filter((one) => one.type === type)
}

/** Only blobs that were seen count; `places` has those. */
function summed(
  wanted: readonly Wanted[],
  found: Finder,
  places: ReadonlyMap<Hex, SeenPlaces>,
): Pick<Preview, 'total' | 'byContent' | 'wouldAct'> {
  const cids = found.cids()
  const seen = cids.map((cid) => places.get(cid))
  const valuesOf = new Map<number, number[]>()
  for (const [index, { contents }] of wanted.entries()) {
    if (found.blobsOf(index).size === 0) continue
    for (const content of contents) valuesOf.set(content, [...(valuesOf.get(content) ?? []), index])
  }
  // A list may have one value many times over: its blobs are added up once.
  const sums = new Map<string, ContentPreview>()
  const byContent = new Map<number, ContentPreview>()
  for (const [content, values] of [...valuesOf].toSorted(([a], [b]) => a - b)) {
    const key = values.join()
    const sum =
      sums.get(key) ?? sumOf(new Set(values.flatMap((value) => [...found.blobsOf(value)])), seen)
    sums.set(key, sum)
    if (sum.blobs > 0) byContent.set(content, sum)
  }
  return {
    total: sumOf(cids.keys(), seen),
    byContent,
    wouldAct: {
      takedowns: seen.reduce(
        (sum, one) => sum + (one === undefined ? 0 : one.accounts.length + one.recordsToTakeDown),
        0,
      ),
      labels: seen.reduce((sum, one) => sum + (one?.records ?? 0), 0),
    },
  }
}

function sumOf(blobs: Iterable<number>, seen: readonly (SeenPlaces | undefined)[]): ContentPreview {
  const accounts = new Set<number>()
  const sum = { blobs: 0, sightings: 0, oldest: null as Date | null }
  for (const blob of blobs) {
    const one = seen[blob]
    if (one === undefined) continue
    sum.blobs += 1
    sum.sightings += one.sightings
    for (const account of one.accounts) accounts.add(account)
    if (sum.oldest === null || one.first < sum.oldest) sum.oldest = one.first
  }
  return { ...sum, accounts: accounts.size }
}

function nothing(): Preview {
  return {
    comparedBlobs: 0,
    total: { blobs: 0, sightings: 0, accounts: 0, oldest: null },
    byContent: new Map(),
    wouldAct: { takedowns: 0, labels: 0 },
  }
}
