// Pictures that move, found by walking their chunks: libvips reads an animated PNG as a still one and says nothing.

/**
 * True for a PNG with an animation control chunk, even for one frame: the frame that is shown need not be the one that
 * libpng decodes (PNG third edition, 11.3.2.1). Each step is at least 12 bytes, so the walk is bounded by the file.
 */
export function pngIsAnimated(bytes: Buffer): boolean {
  for (let at = 8; at + 8 <= bytes.length; at += 12 + bytes.readUInt32BE(at)) {
    const type = bytes.toString('latin1', at + 4, at + 8)
    if (type === 'acTL') return true
    if (type === 'IEND') return false
  }
  return false
}

/** True for a WebP whose extended header has the animation bit, or that carries an ANIM chunk without saying so. */
export function webpIsAnimated(bytes: Buffer): boolean {
  if (bytes.length < 30 || bytes.toString('latin1', 12, 16) !== 'VP8X') return false
  if ((bytes[20]! & 0x02) !== 0) return true
  for (let at = 12; at + 8 <= bytes.length;) {
    if (bytes.toString('latin1', at, at + 4) === 'ANIM') return true
    const length = bytes.readUInt32LE(at + 4)
    at += 8 + length + (length & 1)
  }
  return false
}
