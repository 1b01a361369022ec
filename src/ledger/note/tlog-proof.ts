// C2SP tlog-proof: one entry's place in a log, in a text that is verified offline against pinned keys.
import { fromBase64, parseDecimal, toBase64 } from '../bytes.ts'
import { hashBytes } from '../platform.ts'

/** `note`: a signed checkpoint, verbatim. `extra`: not authenticated. */
export type TlogProof = { extra?: Uint8Array; index: number; proof: Uint8Array[]; note: string }

export const proofLinesMax = 63
const header = 'c2sp.org/tlog-proof@v1'

export function formatTlogProof({ extra, index, proof, note }: TlogProof): string {
  return [
    header,
    ...(extra === undefined ? [] : [`extra ${toBase64(extra)}`]),
    `index ${index}`,
    ...proof.map(toBase64),
    '',
    note,
  ].join('\n')
}

/** The proof, or in words what keeps the text from being one. */
export function parseTlogProof(text: string): TlogProof | string {
  const split = text.indexOf('\n\n')
  if (split < 0) return 'the proof ends before its checkpoint'
  const [first, ...lines] = text.slice(0, split).split('\n')
  if (first !== header) return `the first line is not ${header}`
  const extraLine = lines[0]?.startsWith('extra ') === true ? lines.shift() : undefined
  const extra = extraLine === undefined ? undefined : fromBase64(extraLine.slice('extra '.length))
  if (extraLine !== undefined && extra === undefined) return 'the extra line is not base64'
  const index = parseDecimal(/^index (.*)$/.exec(lines.shift() ?? '')?.[1] ?? '')
  if (index === undefined) return 'the index line is missing'
  if (lines.length > proofLinesMax) return 'the proof has too many lines'
  const proof = lines.map(fromBase64)
  if (proof.some((hash) => hash?.length !== hashBytes)) return 'a line of the proof is not a hash'
  return {
    ...(extra !== undefined && { extra }),
    index,
    proof: proof as Uint8Array[],
    note: text.slice(split + 2),
  }
}
