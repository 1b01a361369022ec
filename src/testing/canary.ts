// Harmless pictures that stand for harmful ones: striped, colourful, plainly made by a machine. The same seed gives
// the same picture at every size, so a hash finds it again; another seed gives one that no hash confuses with it.
import sharp from 'sharp'

export type PictureFormat = 'jpeg' | 'png' | 'webp' | 'avif' | 'gif'

const OCTAVES = [4, 9, 19]
const SHAPES = 9
const WARNING_STRIPES = 6

/** A picture for a bank: diagonal stripes in one corner tell people what it is. */
export async function canaryPicture(options: {
  seed: number
  width?: number
  height?: number
  format?: PictureFormat
}): Promise<Uint8Array> {
  return await picture({ ...options, isCanary: true })
}

/** A picture that is in no bank. Its seeds are apart from the canaries'. */
export async function cleanPicture(
  seed: number,
  options: { width?: number; height?: number; format?: PictureFormat } = {},
): Promise<Uint8Array> {
  return await picture({ ...options, seed: seed + 0x40000000, isCanary: false })
}

/** As another service would store it: the same picture in other bytes. */
export async function recompressed(bytes: Uint8Array, quality: number): Promise<Uint8Array> {
  return await sharp(bytes).jpeg({ quality }).toBuffer()
}

type Recipe = {
  seed: number
  isCanary: boolean
  width?: number
  height?: number
  format?: PictureFormat
}

async function picture(recipe: Recipe): Promise<Uint8Array> {
  const { width = 640, height = 480, format = 'jpeg' } = recipe
  const raw = { width, height, channels: 3 } as const
  return await sharp(paint(recipe, width, height), { raw })
    .toFormat(format)
    .toBuffer()
}

function paint({ seed, isCanary }: Recipe, width: number, height: number): Uint8Array {
  const random = randomOf(seed)
  const noise = [0, 1, 2].map(() => OCTAVES.map((cells) => noiseField(cells, random)))
  const shapes = Array.from({ length: SHAPES }, () => shapeOf(random))
  const pixels = new Uint8Array(width * height * 3)
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const x = column / width
      const y = row / height
      const shape = shapes.findLast(({ covers }) => covers(x, y))
      const stripe = isCanary ? isOnStripe(x, y) : undefined
      for (let channel = 0; channel < 3; channel++) {
        const ground = noise[channel]!.reduce((sum, field, i) => sum + field(x, y) / (1 + i / 2), 0)
        const colour = shape ? shape.colour[channel]! * 0.6 + ground * 60 : (ground - 0.5) * 210
        pixels[(row * width + column) * 3 + channel] = stripe ?? clamp(colour)
      }
    }
  }
  return pixels
}

/** Black and white in the lower right corner: its luminance, undefined elsewhere. */
function isOnStripe(x: number, y: number): number | undefined {
  if (x + y < 1.65) return undefined
  return Math.floor((x - y + 1) * WARNING_STRIPES * 4) % 2 === 0 ? 20 : 235
}

/** Smooth values from 0 to 1 on a grid of `cells` by `cells`. */
function noiseField(cells: number, random: () => number): (x: number, y: number) => number {
  const side = cells + 1
  const knots = Float64Array.from({ length: side * side }, random)
  return (x, y) => {
    const column = Math.floor(x * cells)
    const row = Math.floor(y * cells)
    const right = smooth(x * cells - column)
    const down = smooth(y * cells - row)
    const at = (dx: number, dy: number) => knots[(row + dy) * side + column + dx]!
    const top = at(0, 0) + (at(1, 0) - at(0, 0)) * right
    const bottom = at(0, 1) + (at(1, 1) - at(0, 1)) * right
    return top + (bottom - top) * down
  }
}

function shapeOf(random: () => number) {
  const [cx, cy, size] = [random(), random(), 0.05 + random() * 0.15]
  const colour = [random() * 255, random() * 255, random() * 255]
  const isRound = random() < 0.5
  const covers = (x: number, y: number): boolean => {
    if (isRound) return (x - cx) ** 2 + (y - cy) ** 2 < size ** 2
    return Math.abs(x - cx) < size && Math.abs(y - cy) < size * 0.6
  }
  return { colour, covers }
}

/** Mulberry32: small, and the same on every machine. */
function randomOf(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

function smooth(part: number): number {
  return part * part * (3 - 2 * part)
}

function clamp(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)))
}
