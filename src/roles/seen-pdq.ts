// PDQ hashes of stored blobs against those that are looked for, turned and mirrored too.
//
// A turn only moves and flips bits, the same ones in every hash: the distance between a blob's turned hash and one that
// is looked for is that between the blob's own hash and the other, turned back. So only the few are turned.
import type { Hex } from '../domain/blob.ts'
import { turns } from '../domain/variant.ts'
import type { Turn } from '../domain/variant.ts'
import { createHammingScan, hashBytes } from './hamming-scan.ts'
import { createNearSearch, scannedRowsMax } from './near-search.ts'
import { turnedForms } from './packed-turns.ts'
import { hasBits, windowLimits } from './seen-window.ts'
import type { SignalPage } from './seen-window.ts'

export type PdqWanted = { value: Hex; radius: number }

/** `turn`: what is done to the blob's picture to come this near. A pair may come several times, once a turn. */
export type OnPdqHit = (row: number, wanted: number, distance: number, turn: Turn) => void

export type PdqScan = AsyncDisposable & { look(page: SignalPage, onHit: OnPdqHit): Promise<void> }

/** The turn that takes it back. */
const back: Record<Turn, Turn> = {
  original: 'original',
  mirror: 'mirror',
  flip: 'flip',
  rot180: 'rot180',
  rot90: 'rot270',
  rot270: 'rot90',
  transpose: 'transpose',
  transverse: 'transverse',
}

/** Exact at any radius, for few and for many. A million blobs and one hash: 10 ms. */
export async function createPdqScan(wanted: readonly PdqWanted[]): Promise<PdqScan> {
  return wanted.length > scannedRowsMax ? scanForMany(wanted) : scanForFew(wanted)
}

function scanForFew(wanted: readonly PdqWanted[]): PdqScan {
  const packed = turnedForms(packedValues(wanted))
  const radius = Math.max(...wanted.map((one) => one.radius))
  const scan = createHammingScan(windowLimits.rowsPerPage)
  return {
    async look(page, onHit) {
      scan.setRows(page.pdq)
      scan.search(packed, radius, (row, query, distance) => {
        const index = Math.floor(query / turns.length)
        if (distance > (wanted[index]?.radius ?? -1) || !hasPdq(page, row)) return
        onHit(row, index, distance, back[turns[query % turns.length] ?? 'original'])
      })
    },
    async [Symbol.asyncDispose]() {},
  }
}

/** There the pages are the few: they are turned, and looked up. */
async function scanForMany(wanted: readonly PdqWanted[]): Promise<PdqScan> {
  const radius = wanted.reduce((most, one) => Math.max(most, one.radius), 0)
  const near = await createNearSearch(packedValues(wanted), radius)
  return {
    look: (page, onHit) =>
      near.search(turnedForms(page.pdq), (index, query, distance) => {
        const row = Math.floor(query / turns.length)
        if (distance > (wanted[index]?.radius ?? -1) || !hasPdq(page, row)) return
        onHit(row, index, distance, turns[query % turns.length] ?? 'original')
      }),
    [Symbol.asyncDispose]: () => near[Symbol.asyncDispose](),
  }
}

function hasPdq(page: SignalPage, row: number): boolean {
  return ((page.has[row] as number) & hasBits.pdq) !== 0
}

function packedValues(wanted: readonly PdqWanted[]): Uint8Array {
  const packed = new Uint8Array(wanted.length * hashBytes)
  for (const [index, { value }] of wanted.entries())
    packed.set(Buffer.from(value, 'hex'), index * hashBytes)
  return packed
}
