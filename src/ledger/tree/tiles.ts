// tlog-tiles: where tiles and entry bundles lie, and how entries stand in a bundle.
import { tileHeight, tileWidth } from './frontier.ts'

/** A bundle's entry has its length in two bytes. */
export const entryBytesMax = 65_535

export type TileName = { index: number; width: number }

/** `tile/0/x001/x234/067`, with `.p/12` when it is not full. `level` is a number or `entries`. */
export function tilePath(level: number | 'entries', { index, width }: TileName): string {
  const digits = String(index).padStart(Math.ceil(String(index).length / 3) * 3, '0')
  const groups = digits.match(/.{3}/g) ?? []
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  return `tile/${level}/${path}${width < tileWidth ? `.p/${width}` : ''}`
}

/** Every tile of one level that a tree of `size` leaves has: full ones, then the partial one. */
export function* tilesOf(level: number, size: number): Generator<TileName> {
  const hashes = Math.floor(size / tileWidth ** level)
  for (let index = 0; index * tileWidth < hashes; index += 1)
    yield { index, width: Math.min(tileWidth, hashes - index * tileWidth) }
}

/** How many levels of tiles a tree of `size` leaves has. */
export function tileLevels(size: number): number {
  if (size === 0) return 0
  let levels = 1
  while (2 ** (tileHeight * levels) <= size) levels += 1
  return levels
}

export function formatBundle(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(entries.reduce((sum, entry) => sum + 2 + entry.length, 0))
  const view = new DataView(bytes.buffer)
  let at = 0
  for (const entry of entries) {
    if (entry.length > entryBytesMax) throw new TypeError(`an entry has ${entry.length} bytes`)
    view.setUint16(at, entry.length)
    bytes.set(entry, at + 2)
    at += 2 + entry.length
  }
  return bytes
}

/** undefined: the bytes end inside an entry. */
export function parseBundle(bytes: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const entries: Uint8Array[] = []
  for (let at = 0; at < bytes.length;) {
    if (at + 2 > bytes.length) return undefined
    const end = at + 2 + view.getUint16(at)
    if (end > bytes.length) return undefined
    entries.push(bytes.subarray(at + 2, end))
    at = end
  }
  return entries
}
