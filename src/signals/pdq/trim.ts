// Finds the picture inside a border of one colour: letterboxes, frames, the sides of a phone's screen.
import { lumaOnWhite } from './grid.ts'
import type { Area, Look } from './picture.ts'

/** A line belongs to the border while its luma (0 to 255) hardly varies and stays near the outermost line's. */
const deviationMax = 6
const meanStepMax = 6
/** Of each side: what is left is never less than a tenth of the picture. */
const shareMax = 0.45

type Line = { mean: number; deviation: number }

/**
 * The area without its border; undefined when there is none. Rows go first, columns are then judged by the rows that are
 * left, so that a black band above does not hide a white one beside it.
 * Costs four lines where there is no border, and every pixel of the border where there is one.
 */
export function withoutBorder(look: Look): Area | undefined {
  const { left, top, width, height } = look.area
  const row = (y: number) => line(look, { left, top: top + y, width, height: 1 })
  const above = borderLines(height, row)
  const below = borderLines(height, (y) => row(height - 1 - y))
  const inner = { left, top: top + above, width, height: height - above - below }
  const column = (x: number) => line(look, { ...inner, left: left + x, width: 1 })
  const before = borderLines(width, column)
  const behind = borderLines(width, (x) => column(width - 1 - x))
  if (above + below + before + behind === 0) return undefined
  return { ...inner, left: left + before, width: width - before - behind }
}

/** How many lines from the outside belong to the border. */
function borderLines(side: number, lineAt: (index: number) => Line): number {
  const max = Math.floor(side * shareMax)
  let outermost: number | undefined
  for (let index = 0; index < max; index++) {
    const { mean, deviation } = lineAt(index)
    outermost ??= mean
    if (deviation >= deviationMax || Math.abs(mean - outermost) > meanStepMax) return index
  }
  return max
}

/** Mean and standard deviation of the luma in an area one pixel wide or high. */
function line({ picture, onWhite }: Look, area: Area): Line {
  const { pixels, width, channels } = picture
  const count = area.width * area.height
  const step = (area.height === 1 ? 1 : width) * channels
  let at = (area.top * width + area.left) * channels
  let sum = 0
  let squares = 0
  for (let i = 0; i < count; i++) {
    const luma =
      channels === 1
        ? pixels[at]!
        : onWhite
          ? lumaOnWhite(pixels, at)
          : 0.299 * pixels[at]! + 0.587 * pixels[at + 1]! + 0.114 * pixels[at + 2]!
    sum += luma
    squares += luma * luma
    at += step
  }
  const mean = sum / count
  return { mean, deviation: Math.sqrt(Math.max(0, squares / count - mean * mean)) }
}
