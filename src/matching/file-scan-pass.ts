// Searches in some blocks of a file that is scanned: all who search at the same time share one reading.
import { signalBytes } from '../domain/signal-batch.ts'
import { createCarousel } from './file-carousel.ts'
import { storedRowBytes, storedRowWords } from './file-format.ts'
import { blockAt, blockBytes } from './file-scan-block.ts'
import type { ScanType } from './file-scan-block.ts'
import type { RowHit } from './index-part.ts'
import { createScanner, queriesMax, valuesAt } from './scan-kernel.ts'
import type { Scanner } from './scan-kernel.ts'

/** Fills `bytes` from `position` of the file, or throws. */
export type ReadAt = (bytes: Uint8Array, position: number) => Promise<void>

/** `rows`: of the whole file. The blocks from `from` up to, not including, `to` are searched. */
export type ScanRange = { type: ScanType; rows: number; from: number; to: number }

export type ScanPass = {
  search(queries: Uint8Array, radius: number): Promise<RowHit[]>
  idle(): Promise<void>
}

/** One search. Found positions are of the block that is shown. */
type Ticket = { queries: Uint8Array; radius: number; hits: RowHit[] }
type Found = { ticket: Ticket; query: number; position: number; distance: number }

/** Two blocks' values, and the kernel's page. */
export const passBytes = valuesAt + 2 * blockBytes

export function createScanPass({ type, rows, from, to }: ScanRange, readAt: ReadAt): ScanPass {
  const width = signalBytes[type]
  const perRide = width === 32 ? queriesMax : 1
  /** Made with the first search: a memory reserves gigabytes of addresses. */
  let scanner: Scanner | undefined
  const sideAt = (side: 0 | 1) => valuesAt + side * blockBytes
  const carousel = createCarousel<Ticket>({
    blocks: to - from,
    queriesMax,
    async read(block, side) {
      scanner ??= createPassScanner(width)
      const { at, count } = blockAt(type, rows, from + block)
      const start = sideAt(side)
      await readAt(scanner.bytes().subarray(start, start + count * width), at)
    },
    async show(block, side, tickets) {
      const { count, rowsAt } = blockAt(type, rows, from + block)
      const found = scanBlock(scanner!, { at: sideAt(side), count }, tickets, width)
      if (found.length > 0) await addRows(readAt, rowsAt, found)
    },
  })
  return {
    async search(queries, radius) {
      const rides: { first: number; ticket: Ticket }[] = []
      for (let first = 0; first < queries.length / width; first += perRide) {
        const some = new Uint8Array(queries.subarray(first * width, (first + perRide) * width))
        rides.push({ first, ticket: { queries: some, radius, hits: [] } })
      }
      await Promise.all(
        rides.map(({ ticket }) => carousel.ride(ticket, ticket.queries.length / width)),
      )
      return rides.flatMap(({ first, ticket }) =>
        ticket.hits.map((hit) => ({ ...hit, query: hit.query + first })),
      )
    },
    idle: () => carousel.idle(),
  }
}

export async function readRows(readAt: ReadAt, at: number, count: number): Promise<Uint32Array> {
  const words = new Uint32Array(count * storedRowWords)
  await readAt(new Uint8Array(words.buffer), at)
  return words
}

function createPassScanner(width: 32 | 64): Scanner {
  const scanner = createScanner(width)
  scanner.makeRoom(2 * blockBytes)
  return scanner
}

function scanBlock(
  scanner: Scanner,
  values: { at: number; count: number },
  tickets: readonly Ticket[],
  width: number,
): Found[] {
  const queries = Buffer.concat(tickets.map((ticket) => ticket.queries))
  const radius = Math.max(...tickets.map((ticket) => ticket.radius))
  const owners = tickets.flatMap((ticket) =>
    Array.from({ length: ticket.queries.length / width }, (_, query) => ({ ticket, query })),
  )
  const found: Found[] = []
  scanner.scan(values, { queries, radius }, (n, position, distance) => {
    const { ticket, query } = owners[n]!
    if (distance <= ticket.radius) found.push({ ticket, query, position, distance })
  })
  return found
}

/** One read, from the first found row to the last. */
async function addRows(readAt: ReadAt, rowsAt: number, found: readonly Found[]): Promise<void> {
  const first = found.reduce((least, { position }) => Math.min(least, position), Infinity)
  const last = found.reduce((most, { position }) => Math.max(most, position), 0)
  const words = await readRows(readAt, rowsAt + first * storedRowBytes, last - first + 1)
  for (const { ticket, query, position, distance } of found) {
    const at = (position - first) * storedRowWords
    const [signalId, contentId, bankId] = [words[at]!, words[at + 1]!, words[at + 2]!]
    ticket.hits.push({ signalId, contentId, bankId, query, distance })
  }
}
