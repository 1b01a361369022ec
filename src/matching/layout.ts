// Where everything of a PDQ index lies in its memory. kernels/hamming.ts has the same figures.
//
//   header | block table | bit permutation | where each band's keys begin | scratches | hashes | rows
//   | further rows of a hash | neighbours of 16 bands | slot ids of 15 bands | live bits | blocks of adds
//
// While an index is built its rows lie in blocks where the hashes will be, and sorted into parts above them; hashes and
// rows are then written over the blocks, and the tables over the parts.
import { memoryPagesMax, pageBytes } from './kernel.ts'

/** The header's words, by their index; addresses and strides in bytes. */
export const header = {
  slots: 0,
  hashes: 1,
  neighbours: 2,
  neighboursStride: 3,
  ids: 4,
  idsStride: 5,
  idBytes: 6,
  live: 7,
  /** How many ids the live bits cover. */
  liveIds: 8,
  signals: 9,
  contents: 10,
  banks: 11,
  /** (slot, signal, content, bank), u32 each, by slot. */
  overflow: 12,
  overflowCount: 13,
  /** Rows in blocks: written last when a row is added, read first when one is searched for. */
  pending: 14,
  /** Of all rows that were ever put into a block. */
  greatestId: 15,
} as const

export const bands = 16
export const hashBytes = 32
export const blockTableAddress = 1024
export const permutationAddress = 8192
const startsAddress = 40_960
const startsStride = 262_272
const scratchAddress = startsAddress + bands * startsStride
/** Of one thread: 16 KB of the search, the queries, what was found. */
export const scratchBytes = 65_536
/** Of the thread that owns the memory, which is number 0, and of those that read it too. */
export const scratchesMax = 9
export const hashesAddress = scratchAddress + scratchesMax * scratchBytes

/** A block: the hashes of so many rows, then their signal, content and bank ids. */
export const blockRows = 65_536
export const blockSignalsOffset = blockRows * hashBytes
export const blockBytes = blockSignalsOffset + blockRows * 12
/** More than fit into 4 GB. */
export const blocksMax = 1500

/** While building: a row with its hash and its prefix. */
export const recordBytes = 48
export const partsBytes = 4096

/** A slot whose bank has this bit has further rows. */
export const moreRows = 0x80000000

/** Distinct hashes up to which an id takes 3 bytes. */
const shortIdsMax = 2 ** 24
/** The search reads 64 bytes at a time, and may begin at the last value. */
const slackBytes = 128
const lineBytes = 64

export type Sizes = {
  /** Distinct hashes. */
  slots: number
  /** Rows beyond the first of each hash. */
  overflow: number
  /** The greatest signal id + 1. */
  liveIds: number
}

/** The header's words, and the address behind everything. */
export function layOut({ slots, overflow, liveIds }: Sizes): { words: Uint32Array; end: number } {
  const words = new Uint32Array(header.pending)
  let end = hashesAddress
  const take = (word: number, bytes: number) => {
    words[word] = end
    end += roundUp(bytes, lineBytes)
  }
  words[header.slots] = slots
  words[header.overflowCount] = overflow
  words[header.liveIds] = liveIds
  take(header.hashes, slots * hashBytes)
  for (const word of [header.signals, header.contents, header.banks]) take(word, slots * 4)
  take(header.overflow, overflow * 16)
  const idBytes = slots > shortIdsMax ? 4 : 3
  words[header.idBytes] = idBytes
  words[header.neighboursStride] = roundUp(slots * 2 + slackBytes, lineBytes)
  words[header.idsStride] = roundUp(slots * idBytes + slackBytes, lineBytes)
  take(header.neighbours, words[header.neighboursStride]! * bands)
  take(header.ids, words[header.idsStride]! * (bands - 1))
  take(header.live, Math.ceil(liveIds / 8))
  return { words, end }
}

export function scratchOf(thread: number): number {
  return scratchAddress + thread * scratchBytes
}

/** Pages for addresses below `end`. Throws RangeError when they are more than 32 bits reach. */
export function pagesFor(end: number): number {
  const pages = Math.ceil(end / pageBytes)
  if (pages <= memoryPagesMax) return pages
  throw new RangeError(
    'these PDQ hashes do not fit into one memory of 4 GB (about 30 million do): use the file layout',
  )
}

export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step
}
