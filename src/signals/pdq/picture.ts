// Decoded pixels and what part of them is hashed.

/** Rows without padding, a byte a channel: grey, R G B, or R G B A whose colours are as stored, not multiplied by A. */
export type Picture = { pixels: Uint8Array; width: number; height: number; channels: 1 | 3 | 4 }

/** In pixels from the upper left corner; never empty and never outside of the picture. */
export type Area = { left: number; top: number; width: number; height: number }

/** `onWhite`: what is transparent lets white through; otherwise A is left out, which shows what it hides. */
export type Look = { picture: Picture; area: Area; onWhite: boolean }

/** The 64 x 64 luma values, row by row, that PDQ makes of a look: 0 to 255. */
export type GridOf = (look: Look) => Float32Array

/** Throws TypeError when the bytes are not width x height x channels. */
export function wholeOf(picture: Picture): Area {
  const { pixels, width, height, channels } = picture
  if (pixels.length !== width * height * channels) {
    throw new TypeError(`${pixels.length} bytes are not ${width} x ${height} x ${channels}`)
  }
  return { left: 0, top: 0, width, height }
}

export function hasTransparency({ pixels, channels }: Picture): boolean {
  if (channels !== 4) return false
  for (let at = 3; at < pixels.length; at += 4) if (pixels[at] !== 255) return true
  return false
}
