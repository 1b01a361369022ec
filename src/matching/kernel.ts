// The Hamming kernel (kernels/hamming.ts) as WebAssembly: compiled once a process, instantiated once a memory and thread.
import { readFileSync } from 'node:fs'
import { webAssembly } from './kernel-webassembly.ts'
import type { KernelModule, SharedMemory } from './kernel-webassembly.ts'

/** Addresses and counts are u32. What each function promises stands in kernels/hamming.ts. */
export type Kernel = {
  /**
   * Compares one query with the values from position `from` up to, not including, `to`; `width`: bytes of a value, 32 or
   * 64. Writes (position, distance), two u32 each, in order, and returns how many: when that is `capacity`, go on from
   * the last position + 1.
   */
  scan(
    values: number,
    from: number,
    to: number,
    width: number,
    query: number,
    radius: number,
    out: number,
    capacity: number,
  ): number
  /**
   * As `scan`, for 32-byte values whose first halves lie side by side from `heads` on and their last ones from `tails` on.
   * With `tails` 0 the first half is all that counts.
   */
  scanHalves(
    heads: number,
    tails: number,
    from: number,
    to: number,
    query: number,
    radius: number,
    out: number,
    capacity: number,
  ): number
  /**
   * Compares 1 to 32 queries with 32-byte values in one pass. Writes (query, position, distance), three u32 each, in no
   * order, and returns how many. The u32 at `next` is where to go on: `to` when all were compared. `capacity` must be
   * at least 4 x queries.
   */
  scanMany(
    values: number,
    from: number,
    to: number,
    query: number,
    queries: number,
    radius: number,
    out: number,
    capacity: number,
    next: number,
  ): number
  /** -1: more than `capacity` slots. */
  search(query: number, radius: number, scratch: number, out: number, capacity: number): number
  permute(at: number, count: number): void
  partitionRows(rows: number, records: number, ends: number): number
  gatherSlots(
    records: number,
    ends: number,
    fields: number,
    stride: number,
    order: number,
    cursors: number,
  ): number
  buildFirstBand(): void
  buildBand(band: number, parted: number, ends: number): void
  buildBandInPlace(band: number): void
  enliven(ids: number, count: number, stride: number): void
}

/** The most that 32-bit addresses reach. */
export const memoryPagesMax = 65_536
export const pageBytes = 65_536

let compiled: KernelModule | undefined

/** Synchronous: the module is a few kilobytes. It can be posted to workers, which then share the optimised code. */
export function loadKernel(): KernelModule {
  compiled ??= new webAssembly.Module(readFileSync(new URL('./kernel.wasm', import.meta.url)))
  return compiled
}

/** `memory` comes from `createMemory`: the module wants it shared, with just this maximum. */
export function instantiate(memory: SharedMemory, module = loadKernel()): Kernel {
  return new webAssembly.Instance(module, { env: { memory } }).exports as Kernel
}

/** Pages that are never written take no memory. */
export function createMemory(pages: number): SharedMemory {
  return new webAssembly.Memory({ initial: pages, maximum: memoryPagesMax, shared: true })
}
