// What decoding and hashing cost alone, in this process: no sandbox, no fetch, no database.
import sharp from 'sharp'
import { allowOnlyOurFormats, decodeImage } from '../src/signals/decode-image.ts'
import { pdqHash } from '../src/signals/pdq/hash.ts'
import { loadKernel } from '../src/signals/pdq/kernel.ts'
import { lookAt } from '../src/signals/pdq/looks.ts'
import { pictureSize } from './pictures.ts'

export type Timed = { ms: number[]; cpuSeconds: number }

/**
 * `hash`: one hash by the kernel, as `looks` is all variants; `twin`: one hash in plain TypeScript. `both`: decode and all
 * variants, as the sandboxed child does it.
 */
export type DecodeCost = { hash: Timed; twin: Timed; looks: Timed; decode: Timed; both: Timed }

const warmUps = 20

/** Call after the pictures are made: from here on sharp reads our formats only. */
export async function decodeCost(
  jpegs: readonly Buffer[],
  options: { forMs: number; signal: AbortSignal },
): Promise<DecodeCost> {
  allowOnlyOurFormats()
  const raws = await Promise.all(jpegs.map(decodeRaw))
  const { width, height } = pictureSize
  const gridOf = loadKernel()
  return {
    hash: await timeEach(raws, options, (raw) => pdqHash(raw, width, height, 3, gridOf)),
    twin: await timeEach(raws, options, (raw) => pdqHash(raw, width, height, 3)),
    looks: await timeEach(raws, options, (pixels) =>
      lookAt({ pixels, width, height, channels: 3 }, gridOf),
    ),
    decode: await timeEach(jpegs, options, async (jpeg) => {
      // Freed at once, as decodeImage does it.
      ;((await decodeRaw(jpeg)).buffer as ArrayBuffer).transfer(0)
    }),
    both: await timeEach(jpegs, options, (jpeg) => decodeImage(jpeg, gridOf)),
  }
}

/** As the sandboxed child decodes it. */
async function decodeRaw(jpeg: Buffer): Promise<Buffer> {
  return await sharp(jpeg, { failOn: 'error', ignoreIcc: true, sequentialRead: true })
    .toColourspace('srgb')
    .raw()
    .toBuffer()
}

async function timeEach<T>(
  inputs: readonly T[],
  { forMs, signal }: { forMs: number; signal: AbortSignal },
  work: (input: T) => unknown,
): Promise<Timed> {
  const at = (n: number) => inputs[n % inputs.length] as T
  for (let n = 0; n < warmUps; n++) await work(at(n))
  const ms: number[] = []
  const cpuBefore = process.cpuUsage()
  const endMs = performance.now() + forMs
  while (performance.now() < endMs) {
    signal.throwIfAborted()
    const startMs = performance.now()
    await work(at(ms.length))
    ms.push(performance.now() - startMs)
  }
  const { user, system } = process.cpuUsage(cpuBefore)
  return { ms, cpuSeconds: (user + system) / 1e6 }
}
