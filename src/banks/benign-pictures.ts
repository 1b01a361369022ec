// Harmless pictures by formula: what placeholders, patterns and empty frames look like. No content may match them.
//
// Each is a brightness at (x, y), both from 0 to 1. `commands/bank-benign-write.ts` draws and hashes them; the hashes that
// say something (quality 50 and more) are in benign-hashes.ts, and a test makes them again.

export type BenignPicture = {
  name: string
  width: number
  height: number
  /** x, y: 0 to 1 across and down. Returns 0 to 255. */
  brightness: (x: number, y: number) => number
}

/** Of the common pictures on the network: square, wide, tall, banner. */
const shapes = [
  { name: '1:1', width: 256, height: 256 },
  { name: '16:9', width: 320, height: 180 },
  { name: '9:16', width: 180, height: 320 },
  { name: '4:3', width: 320, height: 240 },
  { name: '3:1', width: 360, height: 120 },
] as const

type Formula = (x: number, y: number, aspect: number) => number

export function benignPictures(): BenignPicture[] {
  return Object.entries(formulas()).flatMap(([name, formula]) =>
    shapes.map((shape) => ({
      name: `${name} ${shape.name}`,
      width: shape.width,
      height: shape.height,
      brightness: (x, y) => formula(x, y, shape.width / shape.height),
    })),
  )
}

/** Row after row, one byte a pixel. */
export function drawGrey({ width, height, brightness }: BenignPicture): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, at) =>
    Math.max(
      0,
      Math.min(255, Math.round(brightness((at % width) / width, Math.floor(at / width) / height))),
    ),
  )
}

function formulas(): Record<string, Formula> {
  return {
    blank: () => 255,
    ...gradients(),
    ...patterns(),
    'empty frame': frame,
    'crossed frame': (x, y, aspect) => (isNearDiagonal(x, y) ? 90 : frame(x, y, aspect)),
    'letterbox on black': (_, y) => (y > 0.2 && y < 0.8 ? 235 : 0),
    'disc on grey': (x, y, aspect) => (inDisc(x, y, aspect, 0.5, 0.5, 0.35) ? 250 : 120),
    'ring on white': (x, y, aspect) =>
      inDisc(x, y, aspect, 0.5, 0.5, 0.35) && !inDisc(x, y, aspect, 0.5, 0.5, 0.25) ? 60 : 255,
    'play button': (x, y, aspect) =>
      inTriangle(x, y, aspect) ? 255 : inDisc(x, y, aspect, 0.5, 0.5, 0.3) ? 110 : 20,
    'person silhouette': (x, y, aspect) =>
      inDisc(x, y, aspect, 0.5, 0.36, 0.17) || inDisc(x, y, aspect, 0.5, 1, 0.36) ? 245 : 150,
    'picture placeholder': placeholder,
    'colour bars': (x) => 235 - Math.floor(x * 8) * 28,
    'three bars of text': (x, y) =>
      x > 0.1 && x < 0.9 && [0.3, 0.5, 0.7].some((at) => Math.abs(y - at) < 0.05) ? 60 : 250,
    'dialogue box': (x, y) => (x > 0.2 && x < 0.8 && y > 0.3 && y < 0.7 ? 250 : 70),
  }
}

function gradients(): Record<string, Formula> {
  return {
    'gradient across': (x) => 255 * x,
    'gradient down': (_, y) => 255 * y,
    'gradient over the corner': (x, y) => (255 * (x + y)) / 2,
    'bright middle': (x, y) => 255 - 330 * Math.hypot(x - 0.5, y - 0.5),
    'dark middle': (x, y) => 330 * Math.hypot(x - 0.5, y - 0.5),
    'sky over ground': (x, y) => (y < 0.6 ? 240 - 100 * y : 90 + 20 * x),
  }
}

function patterns(): Record<string, Formula> {
  const made: Record<string, Formula> = {}
  for (const cells of [2, 3, 4, 5, 6, 8, 10, 12, 16, 32]) {
    made[`checkerboard ${cells}`] = (x, y) =>
      (Math.floor(x * cells) + Math.floor(y * cells)) % 2 === 0 ? 20 : 235
    made[`stripes across ${cells}`] = (x) => (Math.floor(x * cells) % 2 === 0 ? 20 : 235)
    made[`stripes down ${cells}`] = (_, y) => (Math.floor(y * cells) % 2 === 0 ? 20 : 235)
    made[`diagonal stripes ${cells}`] = (x, y) => (Math.floor((x + y) * cells) % 2 === 0 ? 20 : 235)
    made[`dots ${cells}`] = (x, y) =>
      Math.hypot(((x * cells) % 1) - 0.5, ((y * cells) % 1) - 0.5) < 0.3 ? 20 : 235
  }
  return made
}

const frame: Formula = (x, y) => (Math.min(x, y, 1 - x, 1 - y) < 0.06 ? 90 : 230)

const placeholder: Formula = (x, y, aspect) => {
  if (inDisc(x, y, aspect, 0.3, 0.3, 0.1)) return 250
  const isHill = y > 0.85 - 0.5 * Math.max(0, 1 - Math.abs(x - 0.62) * 3)
  const isSecondHill = y > 0.85 - 0.28 * Math.max(0, 1 - Math.abs(x - 0.28) * 4)
  return isHill || isSecondHill ? 170 : frame(x, y, aspect)
}

function isNearDiagonal(x: number, y: number): boolean {
  return Math.abs(x - y) < 0.03 || Math.abs(x + y - 1) < 0.03
}

/** `radius` in shorter sides. */
function inDisc(x: number, y: number, aspect: number, cx: number, cy: number, radius: number) {
  const across = (x - cx) * Math.max(1, aspect)
  const down = (y - cy) * Math.max(1, 1 / aspect)
  return Math.hypot(across, down) < radius
}

function inTriangle(x: number, y: number, aspect: number): boolean {
  const across = (x - 0.5) * Math.max(1, aspect)
  const down = (y - 0.5) * Math.max(1, 1 / aspect)
  return across > -0.08 && Math.abs(down) < (0.14 - across) * 0.6
}
