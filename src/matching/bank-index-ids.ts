// A set of signal ids as bits: ids come from one sequence, so they lie close together, a bit each and not an object each.

export type IdSet = {
  readonly size: number
  readonly bytes: number
  has: (id: number) => boolean
  /** False when it was there before. */
  add: (id: number) => boolean
  /** False when it was not there. */
  delete: (id: number) => boolean
  clear(): void
}

/** 8 KB: ids far apart cost a page each. */
const idsPerPage = 65_536
const pageBytes = idsPerPage / 8

/** Ids are whole numbers from 0 to 2^32 - 1. */
export function createIdSet(): IdSet {
  const pages = new Map<number, Uint8Array>()
  let size = 0
  const pageOf = (id: number) => pages.get(Math.floor(id / idsPerPage))
  return {
    get size() {
      return size
    },
    get bytes() {
      return pages.size * pageBytes
    },
    has(id) {
      const page = pageOf(id)
      return page !== undefined && (page[(id & 0xffff) >> 3]! & (1 << (id & 7))) !== 0
    },
    add(id) {
      let page = pageOf(id)
      if (page === undefined) {
        page = new Uint8Array(pageBytes)
        pages.set(Math.floor(id / idsPerPage), page)
      }
      const before = page[(id & 0xffff) >> 3]!
      const after = before | (1 << (id & 7))
      if (after === before) return false
      page[(id & 0xffff) >> 3] = after
      size += 1
      return true
    },
    delete(id) {
      const page = pageOf(id)
      const before = page?.[(id & 0xffff) >> 3] ?? 0
      const after = before & ~(1 << (id & 7))
      if (page === undefined || after === before) return false
      page[(id & 0xffff) >> 3] = after
      size -= 1
      return true
    },
    clear() {
      pages.clear()
      size = 0
    },
  }
}
