// Makes free text (an error's message) fit for a log: bounded, one line, without what must not be there.
// A net below the allow-list, not a replacement for it: text from outside should not be logged at all.
export const scrubbedCharsMax = 300

/** Longest first where one pattern could eat a part of another. Linear: no nested repetition. */
const replacements: [RegExp, string][] = [
  [/[a-z][a-z0-9+.-]{0,20}:\/\/[^\s"'<>]+/gi, '[url]'],
  [/did:[a-z0-9]{1,20}:[\w.:%-]+/gi, '[did]'],
  [/[^\s@"'<>]{1,64}@[\w-]{1,63}(\.[\w-]{1,63})+/g, '[email]'],
  [/\b(baf[a-z2-7]{20,}|Qm[1-9A-Za-z]{40,})/g, '[cid]'],
  [/\b[0-9a-f]{16,}\b/gi, '[hex]'],
  [/\b\d{1,3}(\.\d{1,3}){3}\b/g, '[ip]'],
  [/[0-9a-f:]{0,40}::[0-9a-f:.]{0,40}/gi, '[ip]'],
  [/\b[0-9a-f]{1,4}(:[0-9a-f]{1,4}){3,7}\b/gi, '[ip]'],
  [/[A-Za-z0-9+/_-]{40,}={0,2}/g, '[secret]'],
]

export function scrub(text: string): string {
  // Cut before the patterns run, so that a long text costs no more than a short one.
  const oneLine = text.slice(0, 4 * scrubbedCharsMax).replaceAll(/[\p{C}\s]+/gu, ' ')
  const clean = replacements.reduce((left, [find, put]) => left.replaceAll(find, put), oneLine)
  return clean.length > scrubbedCharsMax ? `${clean.slice(0, scrubbedCharsMax)}…` : clean
}
