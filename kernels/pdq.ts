// The part of the PDQ hash that touches every pixel, four pixels at a time. What calls it: src/signals/pdq/kernel.ts.
//
// The reference blurs the luma of the whole picture and picks 64 x 64 points. Each picked point is a weighted sum of a
// small rectangle (src/signals/pdq/windows.ts), so one row of points needs one run of picture rows: they are added up
// column by column, each times its weight, and the sums are then added up again into 64 points.
//
// Keeps no state and knows no sizes: every address and length comes from the caller. Pixels are read in blocks of four,
// up to 16 bytes behind the last one of a row, and `sums` is written in blocks of four: both need that much room behind them.
// Luma is 299 R + 587 G + 114 B, a whole number; its thousandth is in the weights.

/** Adds `rows` rows of R G B, each times its weight, to `sums`: f32, one for each of `width` columns. */
export function addRgbRows(
  pixels: usize,
  stride: usize,
  rows: i32,
  width: i32,
  weights: usize,
  sums: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const weight = v128.load_splat<f32>(weights + ((<usize>row) << 2))
    let pixel = pixels + <usize>row * stride
    const end = sums + ((<usize>width) << 2)
    for (let sum = sums; sum < end; sum += 16) {
      addTo(sum, lumaOfRgb(v128.load(pixel)), weight)
      pixel += 12
    }
  }
}

/** As addRgbRows, for R G B A whose A is left out. */
export function addRgbaRows(
  pixels: usize,
  stride: usize,
  rows: i32,
  width: i32,
  weights: usize,
  sums: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const weight = v128.load_splat<f32>(weights + ((<usize>row) << 2))
    let pixel = pixels + <usize>row * stride
    const end = sums + ((<usize>width) << 2)
    for (let sum = sums; sum < end; sum += 16) {
      addTo(sum, lumaOfRgba(v128.load(pixel)), weight)
      pixel += 16
    }
  }
}

/** As addRgbRows, for R G B A laid on white: 255 times as large, which is in the weights too. */
export function addRowsOnWhite(
  pixels: usize,
  stride: usize,
  rows: i32,
  width: i32,
  weights: usize,
  sums: usize,
): void {
  const opaque = i32x4.splat(255)
  const white = i32x4.splat(255 * 1000)
  for (let row = 0; row < rows; row++) {
    const weight = v128.load_splat<f32>(weights + ((<usize>row) << 2))
    let pixel = pixels + <usize>row * stride
    const end = sums + ((<usize>width) << 2)
    for (let sum = sums; sum < end; sum += 16) {
      const four = v128.load(pixel)
      const alpha = i32x4.shr_u(four, 24)
      const shown = i32x4.mul(lumaOfRgba(four), alpha)
      const behind = i32x4.mul(white, i32x4.sub(opaque, alpha))
      addTo(sum, i32x4.add(shown, behind), weight)
      pixel += 16
    }
  }
}

/** As addRgbRows, for one byte a pixel. */
export function addGreyRows(
  pixels: usize,
  stride: usize,
  rows: i32,
  width: i32,
  weights: usize,
  sums: usize,
): void {
  for (let row = 0; row < rows; row++) {
    const weight = v128.load_splat<f32>(weights + ((<usize>row) << 2))
    let pixel = pixels + <usize>row * stride
    const end = sums + ((<usize>width) << 2)
    for (let sum = sums; sum < end; sum += 16) {
      const words = i16x8.extend_low_i8x16_u(v128.load32_zero(pixel))
      addTo(sum, i32x4.extend_low_i16x8_u(words), weight)
      pixel += 4
    }
  }
}

/**
 * The 64 points (f32 at `points`) that lie in one row of sums. `starts` and `counts`: 64 i32 each, which columns a point
 * sees; `weights`: f64, for one point after the other.
 */
export function addAcross(
  sums: usize,
  starts: usize,
  counts: usize,
  weights: usize,
  points: usize,
): void {
  for (let point: usize = 0; point < 64 * 4; point += 4) {
    let column = sums + ((<usize>load<i32>(starts + point)) << 2)
    const end = column + ((<usize>load<i32>(counts + point)) << 2)
    let total: f64 = 0
    while (column < end) {
      total += <f64>load<f32>(column) * load<f64>(weights)
      column += 4
      weights += 8
    }
    store<f32>(points + point, <f32>total)
  }
}

function addTo(sum: usize, values: v128, weight: v128): void {
  const added = f32x4.mul(f32x4.convert_i32x4_s(values), weight)
  v128.store(sum, f32x4.add(v128.load(sum), added))
}

/** Red and green side by side as 16-bit words, multiplied and added in one step; blue likewise with nothing beside it. */
function lumaOfRgb(four: v128): v128 {
  const redGreen = i8x16.swizzle(
    four,
    i8x16(0, -1, 1, -1, 3, -1, 4, -1, 6, -1, 7, -1, 9, -1, 10, -1),
  )
  const blue = i8x16.swizzle(
    four,
    i8x16(2, -1, -1, -1, 5, -1, -1, -1, 8, -1, -1, -1, 11, -1, -1, -1),
  )
  return weighed(redGreen, blue)
}

function lumaOfRgba(four: v128): v128 {
  const redGreen = i8x16.swizzle(
    four,
    i8x16(0, -1, 1, -1, 4, -1, 5, -1, 8, -1, 9, -1, 12, -1, 13, -1),
  )
  const blue = i8x16.swizzle(
    four,
    i8x16(2, -1, -1, -1, 6, -1, -1, -1, 10, -1, -1, -1, 14, -1, -1, -1),
  )
  return weighed(redGreen, blue)
}

function weighed(redGreen: v128, blue: v128): v128 {
  return i32x4.add(
    i32x4.dot_i16x8_s(redGreen, i16x8(299, 587, 299, 587, 299, 587, 299, 587)),
    i32x4.dot_i16x8_s(blue, i16x8(114, 0, 114, 0, 114, 0, 114, 0)),
  )
}
