// The pictures behind synthetic-vectors.json: each pixel is an integer formula of its place, so no image file is needed.

/** R, G and B of the pixel at (x, y), each 0 to 255. */
type Formula = (x: number, y: number, width: number, height: number) => [number, number, number]

export function rgbOf(family: string, width: number, height: number): Buffer {
  const formula = families[family]
  if (formula === undefined) throw new TypeError(`no picture family ${family}`)
  const rgb = Buffer.allocUnsafe(width * height * 3)
  let at = 0
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [red, green, blue] = formula(x, y, width, height)
      rgb[at++] = red
      rgb[at++] = green
      rgb[at++] = blue
    }
  }
  return rgb
}

const families: Record<string, Formula> = {
  octaves,
  rectangles,
  blocks: (x, y) => colour(mix(Math.imul(x >> 3, 73856093) ^ Math.imul(y >> 3, 19349663))),
  pixels: (x, y) => colour(mix(Math.imul(x, 73856093) ^ Math.imul(y, 19349663))),
  flat: () => [127, 127, 127],
}

/** Three layers of soft noise, coarse to fine: the nearest thing to a photograph. */
function octaves(x: number, y: number, width: number, height: number): [number, number, number] {
  const coarse = Math.max(2, Math.floor(Math.min(width, height) / 4))
  const middle = Math.max(1, Math.floor(coarse / 3))
  const fine = Math.max(1, Math.floor(coarse / 9))
  const channel = (seed: number) =>
    Math.floor(
      (softNoise(seed, x, y, coarse) * 4 +
        softNoise(seed + 10, x, y, middle) * 2 +
        softNoise(seed + 20, x, y, fine)) /
        7,
    )
  return [channel(1), channel(2), channel(3)]
}

function softNoise(seed: number, x: number, y: number, cell: number): number {
  const column = Math.floor(x / cell)
  const line = Math.floor(y / cell)
  const right = x % cell
  const down = y % cell
  const between = (a: number, b: number) => a * (cell - right) + b * right
  const top = between(corner(seed, column, line), corner(seed, column + 1, line))
  const bottom = between(corner(seed, column, line + 1), corner(seed, column + 1, line + 1))
  return Math.floor((top * (cell - down) + bottom * down) / (cell * cell))
}

function corner(seed: number, column: number, line: number): number {
  const place = Math.imul(column, 73856093) ^ Math.imul(line, 19349663)
  return mix(place ^ Math.imul(seed, 83492791)) & 255
}

type Rectangle = { left: number; top: number; width: number; height: number; colour: number }
let drawn: { width: number; height: number; rectangles: Rectangle[] } | undefined

function rectangles(x: number, y: number, width: number, height: number): [number, number, number] {
  if (drawn?.width !== width || drawn.height !== height) {
    drawn = { width, height, rectangles: placeRectangles(width, height) }
  }
  const top = drawn.rectangles.findLast(
    (r) => x >= r.left && x < r.left + r.width && y >= r.top && y < r.top + r.height,
  )
  return top === undefined ? [40, 90, 160] : colour(top.colour)
}

function placeRectangles(width: number, height: number): Rectangle[] {
  return Array.from({ length: 24 }, (_, i) => ({
    left: mix((i + 1) * 7919) % width,
    top: mix((i + 1) * 104729) % height,
    width: 1 + (mix((i + 1) * 1299709) % (1 + (width >> 1))),
    height: 1 + (mix((i + 1) * 15485863) % (1 + (height >> 1))),
    colour: mix((i + 1) * 32452843),
  }))
}

function colour(bits: number): [number, number, number] {
  return [bits & 255, (bits >>> 8) & 255, (bits >>> 16) & 255]
}

function mix(bits: number): number {
  let mixed = Math.imul(bits ^ (bits >>> 16), 0x45d9f3b)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x45d9f3b)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
