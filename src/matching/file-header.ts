// The first page of an index file: what it holds and how to tell that it is whole.
import { crc32 } from 'node:zlib'
import type { SignalType } from '../domain/blob.ts'
import type { HashKey } from './digest-key.ts'

export type FileHeader = {
  type: SignalType
  /** Bank generation: everything up to it is in the file, some of what came later may be. */
  generation: number
  rows: number
  /** Of the buckets, by the topmost bits of a digest's keyed hash; 0 in a file that is scanned. */
  bucketBits: number
  hashKey: HashKey
  /** What follows the header, and its CRC-32. */
  dataBytes: number
  dataCrc: number
}

/** A page, so that what follows lies on page boundaries. */
export const headerBytes = 4096

const magic = Buffer.from('BLOBWIDX')
const version = 2
const typeAt = 12
const crcAt = 64

export function encodeHeader(header: FileHeader): Buffer {
  const bytes = Buffer.alloc(headerBytes)
  magic.copy(bytes)
  bytes.writeUInt32LE(version, 8)
  bytes.write(header.type, typeAt, 'ascii')
  bytes.writeBigUInt64LE(BigInt(header.generation), 24)
  bytes.writeUInt32LE(header.rows, 32)
  bytes.writeUInt32LE(header.bucketBits, 36)
  bytes.writeUInt32LE(header.hashKey[0], 40)
  bytes.writeUInt32LE(header.hashKey[1], 44)
  bytes.writeBigUInt64LE(BigInt(header.dataBytes), 48)
  bytes.writeUInt32LE(header.dataCrc, 56)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, crcAt)), crcAt)
  return bytes
}

/** Undefined for what is not a header of this version and type. */
export function decodeHeader(bytes: Buffer, type: SignalType): FileHeader | undefined {
  if (bytes.length < headerBytes || !bytes.subarray(0, 8).equals(magic)) return undefined
  if (bytes.readUInt32LE(crcAt) !== crc32(bytes.subarray(0, crcAt))) return undefined
  const end = bytes.indexOf(0, typeAt)
  if (bytes.readUInt32LE(8) !== version) return undefined
  if (bytes.toString('ascii', typeAt, end) !== type) return undefined
  return {
    type,
    generation: Number(bytes.readBigUInt64LE(24)),
    rows: bytes.readUInt32LE(32),
    bucketBits: bytes.readUInt32LE(36),
    hashKey: [bytes.readUInt32LE(40), bytes.readUInt32LE(44)],
    dataBytes: Number(bytes.readBigUInt64LE(48)),
    dataCrc: bytes.readUInt32LE(56),
  }
}
