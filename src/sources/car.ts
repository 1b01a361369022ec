// Reads the blocks of a CAR v1 in memory: only where they lie, nothing is decoded or hashed.
//
// @atproto/repo's reader is asynchronous, hashes or decodes each CID and yields to the event loop every 25 blocks; a commit
// holds the records and the tree nodes of a few operations, and ingest needs two or three of them (spec: https://ipld.io/specs/transport/car/carv1/).

/** sha2-256 CIDs: version, codec, hash kind, length, 32 bytes of digest. The protocol allows no others in a repository. */
const cidBytes = 36
/** A varint of 5 bytes already counts 34 GB. */
const varintBytesMax = 5

/** The blocks in the order they lie. Throws when the bytes are no CAR, or (after the whole blocks before it) where they are cut off. */
export function* carBlocks(car: Uint8Array): Iterable<{ cid: Uint8Array; bytes: Uint8Array }> {
  const header = varintAt(car, 0)
  let at = header.end + header.value
  if (header.value === 0 || at > car.length) throw new Error('the CAR header is cut off')
  while (at < car.length) {
    const { value: length, end } = varintAt(car, at)
    at = end + length
    if (at > car.length) throw new Error('the CAR ends inside a block')
    if (length < cidBytes) throw new Error('a CAR block is shorter than its CID')
    yield { cid: car.subarray(end, end + cidBytes), bytes: car.subarray(end + cidBytes, at) }
  }
}

function varintAt(bytes: Uint8Array, start: number): { value: number; end: number } {
  let value = 0
  for (let at = start; at < start + varintBytesMax; at += 1) {
    const byte = bytes[at]
    if (byte === undefined) throw new Error('the CAR ends inside a length')
    value += (byte & 0x7f) * 2 ** (7 * (at - start))
    if (byte < 0x80) return { value, end: at + 1 }
  }
  throw new Error('a CAR length is too long')
}
