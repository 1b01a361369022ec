// Where the blocks of a file that is scanned lie: the heads of the values one after the other, their tails, then as many
// rows. A pdq value's head is its first half: nearly every value is too far by that alone, and its tail is never read.
import type { FileHandle } from 'node:fs/promises'
import { signalBytes } from '../domain/signal-batch.ts'
import { storedRowBytes } from './file-format.ts'
import type { SignalFile } from './file-format.ts'
import { headerBytes } from './file-header.ts'

export type ScanType = 'pdq' | 'clip'

/** What writing the next file needs of the one before. */
export type ScanFile = SignalFile & { type: ScanType; handle: FileHandle }

/** Of a value. What is missing to the whole is its tail. */
export const headBytes = { pdq: 16, clip: 64 } as const satisfies Record<ScanType, number>

/** Of a full block's heads: two of them fit in a core's second-level cache, where what was read is compared. */
export const blockBytes = 262_144

export function tailBytes(type: ScanType): number {
  return signalBytes[type] - headBytes[type]
}

export function rowsPerBlock(type: ScanType): number {
  return blockBytes / headBytes[type]
}

/** `rows`: in the whole file. All blocks but the last are full. */
export function blockAt(
  type: ScanType,
  rows: number,
  block: number,
): { at: number; tailsAt: number; rowsAt: number; count: number } {
  const count = Math.min(rowsPerBlock(type), rows - block * rowsPerBlock(type))
  const at = headerBytes + block * rowsPerBlock(type) * (signalBytes[type] + storedRowBytes)
  const tailsAt = at + count * headBytes[type]
  return { at, tailsAt, rowsAt: tailsAt + count * tailBytes(type), count }
}
