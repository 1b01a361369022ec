// What stands between the parts of a form (multipart/form-data, RFC 7578), for whoever looks before a form is parsed.

/** RFC 2046, 5.1.1. */
const boundaryCharsMax = 70

/** undefined: no form, or one that nobody writes. */
export function boundaryOf(contentType: string): string | undefined {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) return undefined
  const [, quoted, plain] = /;\s*boundary=(?:"([^"]+)"|([^\s;"]+))/i.exec(contentType) ?? []
  const boundary = quoted ?? plain
  return boundary !== undefined && boundary.length <= boundaryCharsMax ? boundary : undefined
}

/** Places where a part may begin, `max` at most. */
export function countParts(body: Buffer, boundary: string, max: number): number {
  const mark = Buffer.from(`--${boundary}`)
  let parts = 0
  for (
    let at = body.indexOf(mark);
    at >= 0 && parts < max;
    at = body.indexOf(mark, at + mark.length)
  )
    // In the bytes of a file it may stand by chance, but not at the beginning of a line.
    if (at === 0 || body[at - 1] === lineFeed) parts += 1
  return parts
}

const lineFeed = 0x0a
