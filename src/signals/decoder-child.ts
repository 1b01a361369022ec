// The child's main file: one image in, one answer out, until the parent closes the pipe. Its argument is the class of
// decoders (decode-image.ts) that it may use. Holds no secret, gets no environment and keeps nothing between images. Started through sandbox.ts; nothing imports this file.
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { ReadyAnswer } from './decode-answer.ts'
import { readFrameSync, writeFrameSync } from './frames.ts'
import { plainGrid } from './pdq/grid.ts'
import { fastestGrid } from './pdq/kernel.ts'

// One native worker thread: an image is decoded alone, and each thread's stack counts against the memory limit.
process.env['UV_THREADPOOL_SIZE'] = '1'
// libvips spills decoded pictures above 100 MB into a temporary file. Decoded pixels must never touch a disk.
process.env['VIPS_DISC_THRESHOLD'] = '1000g'
// A service manager that stops us signals the whole group. The image in hand is finished; the closed pipe ends us.
process.on('SIGTERM', () => {})
process.on('SIGINT', () => {})

const heldBytesMax = 64 * 1024 * 1024

const { allowOnlyOurFormats, decodeImage } = await import('./decode-image.ts')
allowOnlyOurFormats(process.argv[2] === 'avif' ? 'avif' : 'common')
const gridOf = fastestGrid()
answer({ kind: 'ready', kernel: gridOf !== plainGrid } satisfies ReadyAnswer)
for (let bytes = readFrameSync(0); bytes !== undefined; bytes = readFrameSync(0)) {
  answer(await decodeImage(bytes, gridOf))
  await letGo()
}
process.exit(0)

function answer(value: object): void {
  writeFrameSync(1, Buffer.from(JSON.stringify(value)))
}

/** Bytes lie outside the heap that V8 watches and would count against the next picture; sharp frees them in a later turn. */
async function letGo(): Promise<void> {
  if (process.memoryUsage().external < heldBytesMax) return
  globalThis.gc?.()
  await nextTurn()
}
