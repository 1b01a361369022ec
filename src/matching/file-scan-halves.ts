// Compares a block whose values lie in halves: the heads are in memory, the tails are read when a head is near enough.
import type { Scanner } from './scan-kernel.ts'

/** Fewer pairs than these have their tails read one by one; a read of all costs as much as five small ones. */
const pairsReadSingly = 4
/** So many pairs are compared one by one; where there are more, the whole block is. */
const pairsMost = 256
const halfBytes = 16
const valueBytes = 32

/** `readTails` fills bytes with the tails from a position of the block on. `tails`: room for all of them. */
export async function scanHalved(
  scanner: Scanner,
  { heads, tails, count }: { heads: number; tails: number; count: number },
  readTails: (bytes: Uint8Array, first: number) => Promise<void>,
  { queries, radius }: { queries: Uint8Array; radius: number },
  visit: (query: number, position: number, distance: number) => void,
): Promise<void> {
  const pairs: { query: number; position: number }[] = []
  const isAll = scanner.scanHalves(
    { heads, from: 0, to: count },
    { queries, radius, pairsMost },
    (query, position) => pairs.push({ query, position }),
  )
  const read = async (first: number, last: number) => {
    const some = scanner.bytes().subarray(tails + first * halfBytes, tails + last * halfBytes)
    await readTails(some, first)
  }
  if (isAll && pairs.length <= pairsReadSingly)
    for (const { position } of pairs) await read(position, position + 1)
  else await read(0, count)
  if (!isAll) {
    scanner.scanHalves({ heads, tails, from: 0, to: count }, { queries, radius }, visit)
    return
  }
  for (const { query, position } of pairs) {
    const one = queries.subarray(query * valueBytes, (query + 1) * valueBytes)
    const values = { heads, tails, from: position, to: position + 1 }
    scanner.scanHalves(values, { queries: one, radius }, (_, at, distance) =>
      visit(query, at, distance),
    )
  }
}
