// Hamming distances over packed values. The host lays memory out; nothing is allocated here.

// @ts-ignore: decorator
@inline
function distance32(a: u32, q0: u64, q1: u64, q2: u64, q3: u64): u32 {
  return <u32>(
    (popcnt(load<u64>(a) ^ q0) +
      popcnt(load<u64>(a, 8) ^ q1) +
      popcnt(load<u64>(a, 16) ^ q2) +
      popcnt(load<u64>(a, 24) ^ q3))
  )
}

/**
 * Compares `query` with the values from position `from` up to, not including, `to`. `width`: bytes of a value, 32 or 64.
 * Writes (position, distance), two u32 each, for those within `radius`, and returns how many. When it returns `capacity`
 * the output was full: go on from the last position + 1.
 */
export function scan(values: u32, from: u32, to: u32, width: u32, query: u32, radius: u32, out: u32, capacity: u32): u32 {
  const q0 = load<u64>(query)
  const q1 = load<u64>(query, 8)
  const q2 = load<u64>(query, 16)
  const q3 = load<u64>(query, 24)
  const isWide = width === 64
  let hits: u32 = 0
  let at = values + from * width
  for (let position = from; position < to; position++) {
    let distance = distance32(at, q0, q1, q2, q3)
    if (distance <= radius) {
      if (isWide) {
        distance += distance32(at + 32, load<u64>(query, 32), load<u64>(query, 40), load<u64>(query, 48), load<u64>(query, 56))
      }
      if (distance <= radius) {
        if (hits === capacity) return hits
        const hit = out + (hits << 3)
        store<u32>(hit, position)
        store<u32>(hit, distance, 4)
        hits++
        if (hits === capacity) return hits
      }
    }
    at += width
  }
  return hits
}

/**
 * Compares `queries` (1 to 32, side by side) with the 32-byte values from `from` up to, not including, `to`, in one pass.
 * Writes (query, position, distance), three u32 each, in no order, and returns how many. The output was full when it
 * returns more than `capacity - 4 * queries`: positions from word 0 of `next` on are still to be compared, and none before.
 * Two random values differ in 64 of the first 128 bits (sd 5.7), so the second half is hardly ever read. Four values go
 * against a query at once, so that a query's words are loaded once for the four.
 */
export function scanMany(values: u32, from: u32, to: u32, query: u32, queries: u32, radius: u32, out: u32, capacity: u32, next: u32): u32 {
  const stop = capacity - (queries << 2)
  const queryEnd = query + (queries << 5)
  let hits: u32 = 0
  let position = from
  for (; position + 4 <= to && hits <= stop; position += 4) {
    if (queries === 1) position = skipFar(values, position, to, query, radius)
    if (position + 4 > to) break
    const a = values + (position << 5)
    const a0 = load<u64>(a)
    const a1 = load<u64>(a, 8)
    const b0 = load<u64>(a, 32)
    const b1 = load<u64>(a, 40)
    const c0 = load<u64>(a, 64)
    const c1 = load<u64>(a, 72)
    const d0 = load<u64>(a, 96)
    const d1 = load<u64>(a, 104)
    for (let q = query; q < queryEnd; q += 32) {
      const q0 = load<u64>(q)
      const q1 = load<u64>(q, 8)
      const da = <u32>(popcnt(a0 ^ q0) + popcnt(a1 ^ q1))
      const db = <u32>(popcnt(b0 ^ q0) + popcnt(b1 ^ q1))
      const dc = <u32>(popcnt(c0 ^ q0) + popcnt(c1 ^ q1))
      const dd = <u32>(popcnt(d0 ^ q0) + popcnt(d1 ^ q1))
      if (da <= radius) hits = hitOf(da, a, q, query, position, radius, out, hits)
      if (db <= radius) hits = hitOf(db, a + 32, q, query, position + 1, radius, out, hits)
      if (dc <= radius) hits = hitOf(dc, a + 64, q, query, position + 2, radius, out, hits)
      if (dd <= radius) hits = hitOf(dd, a + 96, q, query, position + 3, radius, out, hits)
    }
  }
  for (; position < to && hits <= stop; position++) {
    const a = values + (position << 5)
    for (let q = query; q < queryEnd; q += 32) {
      const half = <u32>(popcnt(load<u64>(a) ^ load<u64>(q)) + popcnt(load<u64>(a, 8) ^ load<u64>(q, 8)))
      if (half <= radius) hits = hitOf(half, a, q, query, position, radius, out, hits)
    }
  }
  store<u32>(next, position)
  return hits
}

/**
 * The first position, going by fours, where one of four values may be within the radius. A bit set in any of a value's four
 * words is one that differs somewhere, so these bits are never more than the distance, and those that all four values share
 * are never more than the least of the four: one count for the four. Of random values 42 of the 64 remain (sd 3.8), and
 * three fours in a thousand are let through within 31.
 */
function skipFar(values: u32, position: u32, to: u32, query: u32, radius: u32): u32 {
  const low = v128.load(query)
  const high = v128.load(query, 16)
  for (; position + 4 <= to; position += 4) {
    const at = values + (position << 5)
    const ab = v128.and(differing(at, low, high), differing(at + 32, low, high))
    const cd = v128.and(differing(at + 64, low, high), differing(at + 96, low, high))
    const either = v128.or(i64x2.shuffle(ab, cd, 0, 2), i64x2.shuffle(ab, cd, 1, 3))
    if (<u32>popcnt(i64x2.extract_lane(either, 0) & i64x2.extract_lane(either, 1)) <= radius) break
  }
  return position
}

/** The bits that differ in either half. */
// @ts-ignore: decorator
@inline
function differing(hash: u32, low: v128, high: v128): v128 {
  return v128.or(v128.xor(v128.load(hash), low), v128.xor(v128.load(hash, 16), high))
}

/** Adds the second half of the distance; the hits there are then. */
function hitOf(half: u32, a: u32, q: u32, query: u32, position: u32, radius: u32, out: u32, hits: u32): u32 {
  const distance = half + <u32>(popcnt(load<u64>(a, 16) ^ load<u64>(q, 16)) + popcnt(load<u64>(a, 24) ^ load<u64>(q, 24)))
  if (distance > radius) return hits
  const hit = out + hits * 12
  store<u32>(hit, <u32>((q - query) >> 5))
  store<u32>(hit, position, 4)
  store<u32>(hit, distance, 8)
  return hits + 1
}

/**
 * Compares `query` with 32-byte values that lie in halves, the first ones from `heads` on and the last ones from `tails` on, as
 * `scan` does. Where `tails` is 0 only the first half counts, for the radius as for the distance.
 */
export function scanHalves(heads: u32, tails: u32, from: u32, to: u32, query: u32, radius: u32, out: u32, capacity: u32): u32 {
  let hits: u32 = 0
  let position = from
  while (position < to) {
    position = skipFarHeads(heads, position, to, query, radius)
    const end = min(position + 8, to)
    for (; position < end; position++) {
      let distance = distance16(heads + (position << 4), query)
      if (distance <= radius && tails !== 0) distance += distance16(tails + (position << 4), query + 16)
      if (distance > radius) continue
      const hit = out + (hits << 3)
      store<u32>(hit, position)
      store<u32>(hit, distance, 4)
      hits++
      if (hits === capacity) return hits
    }
  }
  return hits
}

/** A position from which on 8 heads, or the last few, are to be looked at one by one; before it none is near. */
function skipFarHeads(heads: u32, position: u32, to: u32, query: u32, radius: u32): u32 {
  const q0 = load<u64>(query)
  const q1 = load<u64>(query, 8)
  const beyond = <u64>radius + 1
  const end = heads + (to << 4)
  let at = heads + (position << 4)
  for (; at + 128 <= end; at += 128) {
    // Branches that are never taken cost less than sums over the eight.
    if (headDistance(at, q0, q1) < beyond) break
    if (headDistance(at + 16, q0, q1) < beyond) break
    if (headDistance(at + 32, q0, q1) < beyond) break
    if (headDistance(at + 48, q0, q1) < beyond) break
    if (headDistance(at + 64, q0, q1) < beyond) break
    if (headDistance(at + 80, q0, q1) < beyond) break
    if (headDistance(at + 96, q0, q1) < beyond) break
    if (headDistance(at + 112, q0, q1) < beyond) break
  }
  return (at - heads) >> 4
}

// @ts-ignore: decorator
@inline
function headDistance(a: u32, q0: u64, q1: u64): u64 {
  return popcnt(load<u64>(a) ^ q0) + popcnt(load<u64>(a, 8) ^ q1)
}

// @ts-ignore: decorator
@inline
function distance16(a: u32, b: u32): u32 {
  return <u32>(popcnt(load<u64>(a) ^ load<u64>(b)) + popcnt(load<u64>(a, 8) ^ load<u64>(b, 8)))
}

// ---------------------------------------------------------------------------------------------------------------------
// The PDQ index: 16 bands of 16 bits, exact for every radius up to 31. What it rests on:
//
// Give the bands units u0..u15 with u0 + .. + u15 = radius + 1, and let d0..d15 be the bits in which query and hash differ,
// band by band. If the distance is within the radius then the sum of all (d - u) is below 0, and then, going round the
// ring of bands, there is a band from which every partial sum is below 0 (the cycle lemma; "pigeonring", Qin and Xiao,
// VLDB 2018). Of these partial sums two are tested: d[i] < u[i] by looking up the keys that near, and
// d[i] + d[i+1] < u[i] + u[i+1] by reading the neighbour: the key of the next band, kept beside each id, 8 in a vector.
// Of uniform hashes one in 400 passes, so that nearly no hash is fetched in vain: memory is read in runs, not in leaps.

/** The header: u32 words from address 0; src/matching/layout.ts has the same. */
const SLOTS: u32 = 0
const HASHES: u32 = 4
const NEIGHBOURS: u32 = 8
const NEIGHBOURS_STRIDE: u32 = 12
const IDS: u32 = 16
const IDS_STRIDE: u32 = 20
const ID_BYTES: u32 = 24
const LIVE: u32 = 28

const BLOCKS: u32 = 1024
const PERMUTATION: u32 = 8192
const STARTS: u32 = 40960
const STARTS_STRIDE: u32 = 262272

const BLOCK_ROWS: u32 = 65536
const BLOCK_SIGNALS: u32 = 2097152
const RECORD_BYTES: u32 = 48
const PARTS: u32 = 1024

const BANDS: u32 = 16
const KEYS: u32 = 65536
/** In a slot's bank: more rows have this hash. */
const MORE_ROWS: u32 = 0x80000000

/** Ranges of one band: (start, end), u32 each; 17 keys. */
const RANGES_BYTES: u32 = 136
/** Where a thread's scratch has the candidates: (position, band), u32 each. */
const CANDIDATES: u32 = 4096
const CANDIDATES_MAX: u32 = 1024

// @ts-ignore: decorator
@inline
function unitOf(band: u32, radius: u32): u32 {
  const units = radius + 1
  return (units >> 4) + <u32>(band < (units & 15))
}

// @ts-ignore: decorator
@inline
function keyOf(hash: u32, band: u32): u32 {
  return load<u16>(hash + (<u32>(band & 15) << 1))
}

/**
 * Finds the slots within `radius` (0 to 31) of the permuted `query`. Writes (slot, distance), two u32 each, every slot once,
 * and returns how many, or -1 when there are more than `capacity`. `scratch`: 16 KB of this thread's own.
 */
export function search(query: u32, radius: u32, scratch: u32, out: u32, capacity: u32): i32 {
  if (load<u32>(SLOTS) === 0) return 0
  let touched: u32 = 0
  for (let band: u32 = 0; band < BANDS; band++) touched += touchStarts(query, band, unitOf(band, radius))
  for (let band: u32 = 0; band < BANDS; band++) readRanges(query, band, unitOf(band, radius), scratch + band * RANGES_BYTES)
  let hits: i32 = 0
  let candidates: u32 = 0
  const neighbours = load<u32>(NEIGHBOURS)
  for (let band: u32 = 0; band < BANDS; band++) {
    const unit = unitOf(band, radius)
    if (unit === 0) continue
    const ranges = scratch + band * RANGES_BYTES
    const last = ranges + (unit === 2 ? RANGES_BYTES : 8)
    const array = neighbours + band * load<u32>(NEIGHBOURS_STRIDE)
    touched += touchRanges(array, ranges, last)
    const next = i16x8.splat(<i16>keyOf(query, band + 1))
    let limit = unit + unitOf((band + 1) & 15, radius) - 1
    for (let range = ranges; range < last; range += 8) {
      let position = load<u32>(range)
      const end = load<u32>(range, 4)
      while (position < end) {
        if (candidates > CANDIDATES_MAX - 32) {
          hits = verify(scratch, candidates, query, radius, out, hits, capacity)
          if (hits < 0) return -1
          candidates = 0
        }
        const from = array + (position << 1)
        let a: v128, b: v128, c: v128, d: v128
        // The usual limit by itself, so that nothing is asked within the loop.
        if (limit === 2) {
          a = near(v128.load(from), next, 2)
          b = near(v128.load(from, 16), next, 2)
          c = near(v128.load(from, 32), next, 2)
          d = near(v128.load(from, 48), next, 2)
        } else {
          a = near(v128.load(from), next, limit)
          b = near(v128.load(from, 16), next, limit)
          c = near(v128.load(from, 32), next, limit)
          d = near(v128.load(from, 48), next, limit)
        }
        if (v128.any_true(v128.or(v128.or(a, b), v128.or(c, d)))) {
          let lanes = i16x8.bitmask(a) | (i16x8.bitmask(b) << 8) | (i16x8.bitmask(c) << 16) | (i16x8.bitmask(d) << 24)
          for (; lanes !== 0; lanes &= lanes - 1) {
            const found = position + <u32>ctz(lanes)
            if (found >= end) break
            const candidate = scratch + CANDIDATES + (candidates << 3)
            store<u32>(candidate, found)
            store<u32>(candidate, band, 4)
            candidates++
          }
        }
        position += 32
      }
      if (range === ranges) limit--
    }
  }
  store<u32>(scratch + CANDIDATES - 4, touched)
  return verify(scratch, candidates, query, radius, out, hits, capacity)
}

/** All ones in the lanes that differ from `next` in at most `limit` bits, 0 to 3: each step takes away the lowest bit. */
// @ts-ignore: decorator
@inline
function near(keys: v128, next: v128, limit: u32): v128 {
  let differs = v128.xor(keys, next)
  if (limit > 0) differs = withoutLowestBit(differs)
  if (limit > 1) differs = withoutLowestBit(differs)
  if (limit > 2) differs = withoutLowestBit(differs)
  return i16x8.eq(differs, i16x8.splat(0))
}

// @ts-ignore: decorator
@inline
function withoutLowestBit(lanes: v128): v128 {
  return v128.and(lanes, i16x8.add(lanes, i16x8.splat(-1)))
}

/** Plain loads ahead of the real ones: WebAssembly has no prefetch, and the sum keeps them from being dropped. */
function touchStarts(query: u32, band: u32, unit: u32): u32 {
  if (unit === 0) return 0
  const starts = STARTS + band * STARTS_STRIDE
  const key = keyOf(query, band)
  let touched = load<u32>(starts + (key << 2))
  if (unit === 2) for (let bit: u32 = 1; bit < KEYS; bit <<= 1) touched += load<u32>(starts + (<u32>(key ^ bit) << 2))
  return touched
}

/** The key's own range first, then those of the 16 keys one bit away. */
function readRanges(query: u32, band: u32, unit: u32, ranges: u32): void {
  if (unit === 0) return
  const starts = STARTS + band * STARTS_STRIDE
  const key = keyOf(query, band)
  store<u64>(ranges, load<u64>(starts + (key << 2)))
  if (unit === 1) return
  for (let bit: u32 = 1; bit < KEYS; bit <<= 1) {
    ranges += 8
    store<u64>(ranges, load<u64>(starts + (<u32>(key ^ bit) << 2)))
  }
}

/** The first 2 KB of each range: what is longer is read ahead by the processor itself. */
function touchRanges(array: u32, ranges: u32, last: u32): u32 {
  let touched: u32 = 0
  for (; ranges < last; ranges += 8) {
    const from = array + (load<u32>(ranges) << 1)
    const to = min(array + (load<u32>(ranges, 4) << 1), from + 2048)
    for (let at = from; at < to; at += 64) touched += load<u8>(at)
  }
  return touched
}

/** Goes from positions to slots to hashes, and writes the slots within the radius behind the `hits` there are. */
function verify(scratch: u32, candidates: u32, query: u32, radius: u32, out: u32, hits: i32, capacity: u32): i32 {
  const first = scratch + CANDIDATES
  const last = first + (candidates << 3)
  const idBytes = load<u32>(ID_BYTES)
  const ids = load<u32>(IDS)
  const idsStride = load<u32>(IDS_STRIDE)
  const hashes = load<u32>(HASHES)
  const mask: u32 = idBytes === 3 ? 0xffffff : 0xffffffff
  let touched: u32 = 0
  for (let at = first; at < last; at += 8) {
    if (load<u32>(at, 4) > 0) touched += load<u8>(ids + (load<u32>(at, 4) - 1) * idsStride + load<u32>(at) * idBytes)
  }
  for (let at = first; at < last; at += 8) {
    const band = load<u32>(at, 4)
    if (band > 0) store<u32>(at, load<u32>(ids + (band - 1) * idsStride + load<u32>(at) * idBytes) & mask)
    touched += load<u8>(hashes + (load<u32>(at) << 5))
  }
  store<u32>(first - 8, touched)
  const q0 = load<u64>(query)
  const q1 = load<u64>(query, 8)
  const q2 = load<u64>(query, 16)
  const q3 = load<u64>(query, 24)
  for (let at = first; at < last; at += 8) {
    const slot = load<u32>(at)
    const hash = hashes + (slot << 5)
    const distance = distance32(hash, q0, q1, q2, q3)
    if (distance > radius || isFoundBefore(hash, query, load<u32>(at, 4), radius)) continue
    if (<u32>hits === capacity) return -1
    const hit = out + (hits << 3)
    store<u32>(hit, slot)
    store<u32>(hit, distance, 4)
    hits++
  }
  return hits
}

/** A slot comes from every band that passes both tests; only what the first of them finds counts. */
function isFoundBefore(hash: u32, query: u32, band: u32, radius: u32): bool {
  for (let before: u32 = 0; before < band; before++) {
    const unit = unitOf(before, radius)
    const differs = <u32>popcnt(keyOf(hash, before) ^ keyOf(query, before))
    const nextDiffers = <u32>popcnt(keyOf(hash, before + 1) ^ keyOf(query, before + 1))
    if (differs < unit && differs + nextDiffers < unit + unitOf((before + 1) & 15, radius)) return true
  }
  return false
}

// ---------------------------------------------------------------------------------------------------------------------
// Building. Rows come in blocks of 65,536 (hashes, then signal, content and bank ids); the table at BLOCKS has their
// addresses. Everything is sorted in two rounds, first into parts that fit the cache of a core, then within each part:
// writing to 65,536 places at once would miss the cache with every write.

/** Moves the bits of `count` hashes, side by side, to where the table has them: nibble by nibble, 32 bytes an entry. */
export function permute(at: u32, count: u32): void {
  const end = at + (count << 5)
  for (; at < end; at += 32) {
    let low = i64x2.splat(0)
    let high = i64x2.splat(0)
    let table = PERMUTATION
    for (let word = at; word < at + 32; word += 8) {
      let nibbles = load<u64>(word)
      for (let n = 0; n < 16; n++) {
        const entry = table + (<u32>(nibbles & 15) << 5)
        low = v128.or(low, v128.load(entry))
        high = v128.or(high, v128.load(entry, 16))
        nibbles >>= 4
        table += 512
      }
    }
    v128.store(at, low)
    v128.store(at, high, 16)
  }
}

// @ts-ignore: decorator
@inline
function prefixOf(hash: u32): u32 {
  return (<u32>load<u16>(hash) << 16) | load<u16>(hash, 2)
}

/**
 * Copies the rows in blocks to `records`, by the first 10 bits of their prefix. A record has 48 bytes: hash, signal, content
 * and bank id, prefix. `ends` gets the end of each of the 1,024 parts, by record. Leaves out rows with signal id 0.
 */
export function partitionRows(rows: u32, records: u32, ends: u32): u32 {
  memory.fill(ends, 0, PARTS << 2)
  for (let first: u32 = 0; first < rows; first += BLOCK_ROWS) {
    const block = load<u32>(BLOCKS + ((first >> 16) << 2))
    const count = min(rows - first, BLOCK_ROWS)
    for (let row: u32 = 0; row < count; row++) {
      if (load<u32>(block + BLOCK_SIGNALS + (row << 2)) === 0) continue
      const part = ends + ((prefixOf(block + (row << 5)) >> 22) << 2)
      store<u32>(part, load<u32>(part) + 1)
    }
  }
  const total = sumUp(ends, PARTS)
  for (let first: u32 = 0; first < rows; first += BLOCK_ROWS) {
    const block = load<u32>(BLOCKS + ((first >> 16) << 2))
    const count = min(rows - first, BLOCK_ROWS)
    for (let row: u32 = 0; row < count; row++) {
      const hash = block + (row << 5)
      const fields = block + BLOCK_SIGNALS + (row << 2)
      const signal = load<u32>(fields)
      if (signal === 0) continue
      const prefix = prefixOf(hash)
      const part = ends + ((prefix >> 22) << 2)
      const number = load<u32>(part)
      store<u32>(part, number + 1)
      const record = records + number * RECORD_BYTES
      v128.store(record, v128.load(hash))
      v128.store(record, v128.load(hash, 16), 16)
      store<u32>(record, signal, 32)
      store<u32>(record, load<u32>(fields, BLOCK_ROWS << 2), 36)
      store<u32>(record, load<u32>(fields, BLOCK_ROWS << 3), 40)
      store<u32>(record, prefix, 44)
    }
  }
  return total
}

/** Turns counts into the places where each begins; returns their sum. */
function sumUp(counts: u32, count: u32): u32 {
  let sum: u32 = 0
  const end = counts + (count << 2)
  for (let at = counts; at < end; at += 4) {
    const one = load<u32>(at)
    store<u32>(at, sum)
    sum += one
  }
  return sum
}

/**
 * Writes the sorted records out as slots: hashes from HASHES on, the ids of each slot's first row from `fields` on (signals,
 * contents and banks, `stride` bytes each), and the further rows of a hash (slot, signal, content, bank) downwards from `fields`.
 * `order`: 8 bytes for each record of the largest part, `cursors`: 4 KB. Returns the number of slots.
 */
export function gatherSlots(records: u32, ends: u32, fields: u32, stride: u32, order: u32, cursors: u32): u32 {
  let slots: u32 = 0
  let overflow = fields
  let to = load<u32>(HASHES)
  let from: u32 = 0
  for (let part: u32 = 0; part < PARTS; part++) {
    const end = load<u32>(ends + (part << 2))
    sortPart(records, from, end, order, cursors)
    const last = order + ((end - from) << 3)
    let before: u32 = 0
    for (let at = order; at < last; at += 8) {
      const record = load<u32>(at)
      const isFurther = before !== 0 && isSameHash(before, record)
      before = record
      const by = fields + (slots << 2)
      if (isFurther) {
        const bank = by - 4 + (stride << 1)
        store<u32>(bank, load<u32>(bank) | MORE_ROWS)
        overflow -= 16
        store<u32>(overflow, slots - 1)
        store<u64>(overflow, load<u64>(record, 32), 4)
        store<u32>(overflow, load<u32>(record, 40), 12)
        continue
      }
      v128.store(to, v128.load(record))
      v128.store(to, v128.load(record, 16), 16)
      to += 32
      store<u32>(by, load<u32>(record, 32))
      store<u32>(by + stride, load<u32>(record, 36))
      store<u32>(by + (stride << 1), load<u32>(record, 40))
      slots++
    }
    from = end
  }
  return slots
}

/** Fills `order` with (rest of the prefix, address) of the part's records, u64 each: counted by 10 bits, then sorted. */
function sortPart(records: u32, from: u32, end: u32, order: u32, cursors: u32): void {
  memory.fill(cursors, 0, PARTS << 2)
  const last = records + end * RECORD_BYTES
  for (let record = records + from * RECORD_BYTES; record < last; record += RECORD_BYTES) {
    const cursor = cursors + (((load<u32>(record, 44) >> 12) & 1023) << 2)
    store<u32>(cursor, load<u32>(cursor) + 1)
  }
  sumUp(cursors, PARTS)
  for (let record = records + from * RECORD_BYTES; record < last; record += RECORD_BYTES) {
    const prefix = load<u32>(record, 44)
    const cursor = cursors + (((prefix >> 12) & 1023) << 2)
    const at = load<u32>(cursor)
    store<u32>(cursor, at + 1)
    store<u64>(order + (at << 3), (<u64>prefix << 32) | record)
  }
  let start = order
  for (let cursor = cursors; cursor < cursors + (PARTS << 2); cursor += 4) {
    const stop = order + (load<u32>(cursor) << 3)
    if (stop - start > 8) sortEntries(start, stop)
    start = stop
  }
}

/** Shell's sort with Tokuda's gaps: for ten entries mere insertion, and a million equal hashes are nothing to fear. */
function sortEntries(from: u32, to: u32): void {
  const count = (to - from) >> 3
  let gap: u32 = 1
  while (gap < count >> 3) gap = (gap * 9) / 4 + 1
  for (; gap > 0; gap = gap === 1 ? 0 : max((gap * 4) / 9, 1)) {
    const step = gap << 3
    for (let i = from + step; i < to; i += 8) {
      const entry = load<u64>(i)
      let j = i
      for (; j >= from + step; j -= step) {
        const other = load<u64>(j - step)
        if (!isAfter(other, entry)) break
        store<u64>(j, other)
      }
      store<u64>(j, entry)
    }
  }
}

// @ts-ignore: decorator
@inline
function isAfter(a: u64, b: u64): bool {
  return a >> 32 !== b >> 32 ? a > b : isHashAfter(<u32>a, <u32>b)
}

function isHashAfter(a: u32, b: u32): bool {
  for (let at: u32 = 0; at < 32; at += 8) {
    const x = load<u64>(a + at)
    const y = load<u64>(b + at)
    if (x !== y) return x > y
  }
  return a > b
}

// @ts-ignore: decorator
@inline
function isSameHash(a: u32, b: u32): bool {
  return !v128.any_true(v128.or(v128.xor(v128.load(a), v128.load(b)), v128.xor(v128.load(a, 16), v128.load(b, 16))))
}

/** Sets the live bits of `count` rows whose signal ids lie from `ids` on, `stride` bytes apart. */
export function enliven(ids: u32, count: u32, stride: u32): void {
  const live = load<u32>(LIVE)
  for (let i: u32 = 0; i < count; i++) {
    const id = load<u32>(ids + i * stride)
    store<u8>(live + (id >> 3), load<u8>(live + (id >> 3)) | (<u8>1 << <u8>(id & 7)))
  }
}

/** Band 0: the hashes lie in its order, so that positions are slots. */
export function buildFirstBand(): void {
  const slots = load<u32>(SLOTS)
  const hashes = load<u32>(HASHES)
  const neighbours = load<u32>(NEIGHBOURS)
  memory.fill(STARTS, 0, (KEYS + 1) << 2)
  for (let slot: u32 = 0; slot < slots; slot++) {
    const hash = hashes + (slot << 5)
    const count = STARTS + (keyOf(hash, 0) << 2)
    store<u32>(count, load<u32>(count) + 1)
    store<u16>(neighbours + (slot << 1), <u16>keyOf(hash, 1))
  }
  sumUp(STARTS, KEYS + 1)
}

/**
 * The tables of one of the bands 1 to 15. They do not depend on each other: two threads can build one each.
 * `parted`: 8 bytes a slot, for (slot, neighbour, key) by the first 8 bits of the key; `ends`: 1 KB.
 */
export function buildBand(band: u32, parted: u32, ends: u32): void {
  const hashes = load<u32>(HASHES)
  const last = hashes + (load<u32>(SLOTS) << 5)
  memory.fill(ends, 0, 1024)
  for (let hash = hashes; hash < last; hash += 32) {
    const part = ends + ((keyOf(hash, band) >> 8) << 2)
    store<u32>(part, load<u32>(part) + 1)
  }
  sumUp(ends, 256)
  let slot: u64 = 0
  for (let hash = hashes; hash < last; hash += 32) {
    const key = keyOf(hash, band)
    const part = ends + ((key >> 8) << 2)
    const at = load<u32>(part)
    store<u32>(part, at + 1)
    store<u64>(parted + (at << 3), slot | (<u64>((keyOf(hash, band + 1) << 16) | key) << 32))
    slot++
  }
  let from: u32 = 0
  for (let part: u32 = 0; part < 256; part++) {
    const to = load<u32>(ends + (part << 2))
    placePart(band, part, parted, from, to)
    from = to
  }
  store<u32>(STARTS + band * STARTS_STRIDE + (KEYS << 2), from)
}

/** As buildBand without room of its own, at half the speed: for the bands whose tables are the room of the others. */
export function buildBandInPlace(band: u32): void {
  const hashes = load<u32>(HASHES)
  const last = hashes + (load<u32>(SLOTS) << 5)
  const starts = STARTS + band * STARTS_STRIDE
  const neighbours = load<u32>(NEIGHBOURS) + band * load<u32>(NEIGHBOURS_STRIDE)
  const ids = load<u32>(IDS) + (band - 1) * load<u32>(IDS_STRIDE)
  const idBytes = load<u32>(ID_BYTES)
  memory.fill(starts, 0, (KEYS + 1) << 2)
  for (let hash = hashes; hash < last; hash += 32) {
    const count = starts + (keyOf(hash, band) << 2)
    store<u32>(count, load<u32>(count) + 1)
  }
  sumUp(starts, KEYS + 1)
  let slot: u32 = 0
  for (let hash = hashes; hash < last; hash += 32) {
    const cursor = starts + (keyOf(hash, band) << 2)
    const position = load<u32>(cursor)
    store<u32>(cursor, position + 1)
    store<u16>(neighbours + (position << 1), <u16>keyOf(hash, band + 1))
    storeId(ids + position * idBytes, idBytes, slot)
    slot++
  }
  memory.copy(starts + 4, starts, KEYS << 2)
  store<u32>(starts, 0)
}

// @ts-ignore: decorator
@inline
function storeId(at: u32, bytes: u32, slot: u32): void {
  if (bytes === 3) {
    store<u16>(at, <u16>slot)
    store<u8>(at, <u8>(slot >> 16), 2)
  } else store<u32>(at, slot)
}

/** Sorts the entries of one part, 256 keys, into their places. */
function placePart(band: u32, part: u32, parted: u32, from: u32, to: u32): void {
  const starts = STARTS + band * STARTS_STRIDE
  const neighbours = load<u32>(NEIGHBOURS) + band * load<u32>(NEIGHBOURS_STRIDE)
  const ids = load<u32>(IDS) + (band - 1) * load<u32>(IDS_STRIDE)
  const idBytes = load<u32>(ID_BYTES)
  const own = starts + (part << 10)
  memory.fill(own, 0, 1024)
  for (let i = from; i < to; i++) {
    const count = starts + (<u32>load<u16>(parted + (i << 3), 4) << 2)
    store<u32>(count, load<u32>(count) + 1)
  }
  let sum = from
  for (let at = own; at < own + 1024; at += 4) {
    const count = load<u32>(at)
    store<u32>(at, sum)
    sum += count
  }
  for (let i = from; i < to; i++) {
    const entry = load<u64>(parted + (i << 3))
    const cursor = starts + (<u32>((entry >> 32) & 0xffff) << 2)
    const position = load<u32>(cursor)
    store<u32>(cursor, position + 1)
    store<u16>(neighbours + (position << 1), <u16>(entry >> 48))
    storeId(ids + position * idBytes, idBytes, <u32>entry)
  }
  // The cursors stand at each key's end, which is where the next key begins.
  memory.copy(own + 4, own, 1020)
  store<u32>(own, from)
}
