// Values of one width, each once, packed: finds a value's number without an object a value.

export type ValueTable = {
  readonly size: number
  /** All of them, by their numbers. */
  bytes(): Uint8Array
  /** The number of the value at `at`, or -1. */
  find(from: Uint8Array, at: number): number
  /** The same, and it is added where it was not there: numbers rise from 0. */
  add(from: Uint8Array, at: number): number
}

const none = -1

/** Throws RangeError when more than `capacity` are added. */
export function createValueTable(capacity: number, width: number): ValueTable {
  const values = new Uint8Array(capacity * width)
  const slots = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * 2)))
  const heads = new Int32Array(slots).fill(none)
  const next = new Int32Array(capacity)
  let size = 0

  const numberIn = (slot: number, from: Uint8Array, at: number): number => {
    let number = heads[slot] as number
    while (number !== none && !isEqual(values, number * width, from, at, width))
      number = next[number] as number
    return number
  }
  return {
    get size() {
      return size
    },
    bytes: () => values.subarray(0, size * width),
    find: (from, at) => numberIn(slotOf(from, at, width, slots), from, at),
    add(from, at) {
      const slot = slotOf(from, at, width, slots)
      const known = numberIn(slot, from, at)
      if (known !== none) return known
      if (size === capacity) throw new RangeError(`more than ${capacity} values`)
      values.set(from.subarray(at, at + width), size * width)
      next[size] = heads[slot] as number
      heads[slot] = size
      return size++
    },
  }
}

/** FNV-1a over bytes; near hashes of one picture must not share a slot. `slots`: a power of two. */
function slotOf(bytes: Uint8Array, at: number, width: number, slots: number): number {
  let hash = 0x811c9dc5
  for (let i = at; i < at + width; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193)
  return (hash ^ (hash >>> 15)) & (slots - 1)
}

function isEqual(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, width: number): boolean {
  for (let i = 0; i < width; i++) if (a[aAt + i] !== b[bAt + i]) return false
  return true
}
