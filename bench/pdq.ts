// What a picture costs to decode and to hash, in this process: no sandbox, no fetch, no database.
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { decodeCost } from './decode-cost.ts'
import { round } from './machine.ts'
import { median } from './percentile.ts'
import { phonePicture } from './pictures.ts'

const pictures = 6
const secondsEach = { full: 15, quick: 5 } as const

export const bench: Bench = {
  about: 'milliseconds to decode a 2-megapixel JPEG and to hash it in all its variants',
  run: measurePdq,
}

async function measurePdq({ quick, signal }: BenchOptions): Promise<BenchResult> {
  const jpegs = await Promise.all(Array.from({ length: pictures }, (_, n) => phonePicture(n)))
  const forMs = secondsEach[quick ? 'quick' : 'full'] * 1000
  const { hash, twin, looks, decode, both } = await decodeCost(jpegs, { forMs, signal })
  const figures = {
    hashMs1920x1080: round(median(hash.ms), 2),
    twinHashMs1920x1080: round(median(twin.ms), 2),
    variantsMs: round(median(looks.ms) - median(hash.ms), 2),
    decodeOnlyMs: round(median(decode.ms), 2),
    decodeAndHashMs: round(median(both.ms), 2),
    decodeCpuMs: round((1000 * decode.cpuSeconds) / decode.ms.length, 2),
    imagesPerSecond: round((1000 * both.ms.length) / sum(both.ms), 1),
    imagesPerSecondPerCore: round(both.ms.length / both.cpuSeconds, 1),
    hashesPerSecondPerCore: round(hash.ms.length / hash.cpuSeconds, 1),
    jpegKbMean: round(sum(jpegs.map((jpeg) => jpeg.length)) / jpegs.length / 1000),
    images: both.ms.length,
  }
  return { figures, table: { head: ['figure', 'value'], rows: Object.entries(figures) } }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
