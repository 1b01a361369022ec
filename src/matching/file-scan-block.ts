// Where the blocks of a file that is scanned lie: values one after the other, then as many rows.
import type { FileHandle } from 'node:fs/promises'
import { signalBytes } from '../domain/signal-batch.ts'
import { storedRowBytes } from './file-format.ts'
import type { SignalFile } from './file-format.ts'
import { headerBytes } from './file-header.ts'

export type ScanType = 'pdq' | 'clip'

/** What writing the next file needs of the one before. */
export type ScanFile = SignalFile & { type: ScanType; handle: FileHandle }

/** Of a full block's values: two of them fit in a core's second-level cache, where what was read is compared. */
export const blockBytes = 262_144

export function rowsPerBlock(type: ScanType): number {
  return blockBytes / signalBytes[type]
}

/** `rows`: in the whole file. All blocks but the last are full. */
export function blockAt(
  type: ScanType,
  rows: number,
  block: number,
): { at: number; rowsAt: number; count: number } {
  const count = Math.min(rowsPerBlock(type), rows - block * rowsPerBlock(type))
  const at = headerBytes + block * rowsPerBlock(type) * (signalBytes[type] + storedRowBytes)
  return { at, rowsAt: at + count * signalBytes[type], count }
}
