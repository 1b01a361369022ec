// The grid of a look by the WebAssembly kernel (kernels/pdq.ts): the same values as plainGrid up to the last bits of a
// 32-bit float, several times as fast.
//
// The kernel's memory holds the rows behind one row of points at a time, about a 64th of a picture. So it stays small
// whatever is hashed, and the rows are still in the processor's cache when they are added up.
import { readFileSync } from 'node:fs'
import { plainGrid } from './grid.ts'
import type { GridOf, Look } from './picture.ts'
import { webAssembly, type WasmMemory } from './webassembly.ts'
import { gridSide, windows } from './windows.ts'

type AddRows = (
  pixels: number,
  stride: number,
  rows: number,
  width: number,
  weights: number,
  sums: number,
) => void

type Kernel = {
  addRgbRows: AddRows
  addRgbaRows: AddRows
  addRowsOnWhite: AddRows
  addGreyRows: AddRows
  addAcross(sums: number, starts: number, counts: number, weights: number, points: number): void
}

const pageBytes = 65_536
/** What the kernel may read and write behind the last pixel and the last sum. */
const slackBytes = 16

/** The kernel; plainGrid where there is no WebAssembly, which gives the same hashes more slowly. */
export function fastestGrid(): GridOf {
  try {
    return loadKernel()
  } catch {
    // The child says so in its first answer, and the parent warns.
    return plainGrid
  }
}

/** Throws where there is no WebAssembly with SIMD. Not for several threads at once: every call uses the same memory. */
export function loadKernel(): GridOf {
  const { Memory, Module, Instance } = webAssembly()
  const memory = new Memory({ initial: 1 })
  const module = new Module(readFileSync(new URL('./kernel.wasm', import.meta.url)))
  const { exports } = new Instance(module, { env: { memory } })
  const kernel = exports as unknown as Kernel
  return (look) => grid(kernel, memory, look)
}

function grid(kernel: Kernel, memory: WasmMemory, look: Look): Float32Array {
  const { picture, area } = look
  const across = windows(area.width)
  const down = windows(area.height)
  const { addRows, scale } = rowsOf(kernel, look)
  const stride = picture.width * picture.channels
  const at = places(area.width, across.weights.length, Math.max(...down.counts))
  const end = at.pixels + Math.max(...down.counts) * stride + slackBytes
  const missing = Math.ceil((end - memory.buffer.byteLength) / pageBytes)
  if (missing > 0) memory.grow(missing)
  const { buffer } = memory
  new Int32Array(buffer, at.starts, gridSide).set(across.starts)
  new Int32Array(buffer, at.counts, gridSide).set(across.counts)
  new Float64Array(buffer, at.across, across.weights.length).set(across.weights)
  const bytes = new Uint8Array(buffer)
  const points = new Float32Array(buffer, at.points, gridSide)
  const sums = new Float32Array(buffer, at.sums, area.width)
  const result = new Float32Array(gridSide * gridSide)
  for (let i = 0; i < gridSide; i++) {
    const rows = down.counts[i]!
    const weights = new Float32Array(buffer, at.down, rows)
    for (let k = 0; k < rows; k++) weights[k] = down.weights[down.offsets[i]! + k]! * scale
    const first = ((area.top + down.starts[i]!) * picture.width + area.left) * picture.channels
    const last = first + (rows - 1) * stride + area.width * picture.channels
    bytes.set(picture.pixels.subarray(first, last), at.pixels)
    sums.fill(0)
    addRows(at.pixels, stride, rows, area.width, at.down, at.sums)
    kernel.addAcross(at.sums, at.starts, at.counts, at.across, at.points)
    result.set(points, i * gridSide)
  }
  return result
}

/** The function for these pixels, and what its weights carry so that 255 means white. */
function rowsOf(kernel: Kernel, { picture, onWhite }: Look): { addRows: AddRows; scale: number } {
  switch (picture.channels) {
    case 1:
      return { addRows: kernel.addGreyRows, scale: 1 }
    case 3:
      return { addRows: kernel.addRgbRows, scale: 1 / 1000 }
    case 4:
      return onWhite
        ? { addRows: kernel.addRowsOnWhite, scale: 1 / 255_000 }
        : { addRows: kernel.addRgbaRows, scale: 1 / 1000 }
    default:
      return picture.channels satisfies never
  }
}

/** Where things lie in the kernel's memory, each at a multiple of 16. */
function places(width: number, acrossWeights: number, rowsMax: number) {
  let end = 0
  const take = (bytes: number): number => {
    const start = end
    end = Math.ceil((start + bytes) / 16) * 16
    return start
  }
  return {
    starts: take(gridSide * 4),
    counts: take(gridSide * 4),
    points: take(gridSide * 4),
    across: take(acrossWeights * 8),
    down: take(rowsMax * 4),
    sums: take(width * 4 + slackBytes),
    pixels: take(0),
  }
}
