// Searches in some blocks of a file that is scanned: all who search at the same time share one reading.
import { signalBytes } from '../domain/signal-batch.ts'
import { createCarousel } from './file-carousel.ts'
import { storedRowBytes, storedRowWords } from './file-format.ts'
import { scanHalved } from './file-scan-halves.ts'
import { blockAt, blockBytes, headBytes, tailBytes } from './file-scan-block.ts'
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

/** Two blocks' heads and one's tails, and the kernel's page. */
export function passBytes(type: ScanType): number {
  return tailsIn + blockBytes * (tailBytes(type) / headBytes[type])
}

const tailsIn = valuesAt + 2 * blockBytes

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
      scanner ??= createPassScanner(type)
      const { at, count } = blockAt(type, rows, from + block)
      const start = sideAt(side)
      await readAt(scanner.bytes().subarray(start, start + count * headBytes[type]), at)
    },
    async show(block, side, tickets) {
      const { count, tailsAt, rowsAt } = blockAt(type, rows, from + block)
      const together = joined(tickets, width)
      const found: Found[] = []
      const visit = (n: number, position: number, distance: number) => {
        const { ticket, query } = together.owners[n]!
        if (distance <= ticket.radius) found.push({ ticket, query, position, distance })
      }
      if (type === 'pdq') {
        const readTails = (bytes: Uint8Array, first: number) =>
          readAt(bytes, tailsAt + first * tailBytes(type))
        const values = { heads: sideAt(side), tails: tailsIn, count }
        await scanHalved(scanner!, values, readTails, together, visit)
      } else scanner!.scan({ at: sideAt(side), count }, together, visit)
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

function createPassScanner(type: ScanType): Scanner {
  const scanner = createScanner(signalBytes[type])
  scanner.makeRoom(passBytes(type) - valuesAt)
  return scanner
}

/** All queries as one search with the widest radius, and whose each is. */
function joined(tickets: readonly Ticket[], width: number) {
  const queries = Buffer.concat(tickets.map((ticket) => ticket.queries))
  const radius = Math.max(...tickets.map((ticket) => ticket.radius))
  const owners = tickets.flatMap((ticket) =>
    Array.from({ length: ticket.queries.length / width }, (_, query) => ({ ticket, query })),
  )
  return { queries, radius, owners }
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
