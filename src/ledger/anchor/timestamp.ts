// RFC 3161: a time-stamping authority's word that a head was there at a time. The whole answer is kept, as it came, so
// that `openssl ts -verify` accepts it years later with the authority's certificate.
//
// What is stamped is the note with the log's own signature alone: cosignatures come and go in the note that is kept, and
// whoever checks has to get at the same bytes.
import { randomBytes } from 'node:crypto'
import type { SignedData as SignedDataType, TSTInfo as TSTInfoType } from 'pkijs'
import { RetryableError, errorMessage } from '../../domain/errors.ts'
import { sameBytes, utf8 } from '../bytes.ts'
import { formatNote, parseNote } from '../note/note.ts'
import { sha256 } from '../platform.ts'
import { anchorEveryMs } from './anchor.ts'
import type { Anchor } from './anchor.ts'
import { boundedRequest } from './bounded-request.ts'

export const timestampLimits = {
  timeoutMs: 20_000,
  answerBytes: 64 * 1024,
  /** A clock that is off by more stamps nothing that is worth keeping. */
  clockMs: 3_600_000,
} as const

export function createTimestampAnchor(options: {
  url: string
  timeoutMs?: number
  nowMs: () => number
}): Anchor {
  const who = options.url
  return {
    kind: 'timestamp',
    who,
    everyMs: anchorEveryMs.timestamp,
    // An authority keeps nothing that it could be asked for.
    newest: () => Promise.resolve(undefined),
    async submit(head, signal) {
      const data = stampedBytes(head.note, head.origin)
      const nonce = newNonce()
      try {
        const { status, bytes } = await boundedRequest({
          url: options.url,
          method: 'POST',
          headers: {
            'content-type': 'application/timestamp-query',
            accept: 'application/timestamp-reply',
          },
          body: await formatQuery(data, nonce),
          bytesMax: timestampLimits.answerBytes,
          timeoutMs: options.timeoutMs ?? timestampLimits.timeoutMs,
          signal,
        })
        const problem =
          status === 200
            ? await problemOf(bytes, { data, nonce, nowMs: options.nowMs() })
            : `the authority answered ${status}`
        return problem === undefined
          ? { kind: 'anchored', who, body: bytes }
          : { kind: 'failed', who, reason: problem }
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        return { kind: 'failed', who, reason: errorMessage(error) }
      }
    },
  }
}

/** The note with the signatures that bear the log's name, whatever else was added. Throws TypeError for what is no note. */
export function stampedBytes(note: string, origin: string): Uint8Array<ArrayBuffer> {
  const parsed = parseNote(note)
  if (parsed === undefined) throw new TypeError('only a signed note is stamped')
  const signatures = parsed.signatures.filter(({ name }) => name === origin)
  return Uint8Array.from(utf8(formatNote({ text: parsed.text, signatures })))
}

/** Positive, and without a leading zero that DER would drop. */
function newNonce(): Uint8Array<ArrayBuffer> {
  const nonce = Uint8Array.from(randomBytes(8))
  nonce[0] = ((nonce[0] ?? 0) & 0x3f) | 0x40
  return nonce
}

async function formatQuery(
  data: Uint8Array,
  nonce: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  // Loaded where a time stamp is asked for, once a day, and not with the service.
  const { AlgorithmIdentifier, MessageImprint, TimeStampReq } = await import('pkijs')
  const { Integer, Null, OctetString } = await import('asn1js')
  const query = new TimeStampReq({
    version: 1,
    messageImprint: new MessageImprint({
      hashAlgorithm: new AlgorithmIdentifier({
        algorithmId: sha256Oid,
        algorithmParams: new Null(),
      }),
      hashedMessage: new OctetString({ valueHex: Uint8Array.from(sha256(data)) }),
    }),
    nonce: new Integer({ valueHex: nonce }),
    certReq: true,
  })
  return new Uint8Array(query.toSchema().toBER())
}

const sha256Oid = '2.16.840.1.101.3.4.2.1'
const granted = [0, 1]

/** undefined: it is a token for these bytes and this question, and its signature holds by the certificate in it. Whether that certificate is to be trusted is for whoever verifies. */
async function problemOf(
  bytes: Uint8Array<ArrayBuffer>,
  asked: { data: Uint8Array<ArrayBuffer>; nonce: Uint8Array; nowMs: number },
): Promise<string | undefined> {
  const opened = await openAnswer(bytes)
  if (typeof opened === 'string') return opened
  const { info, signed } = opened
  const { hashAlgorithm, hashedMessage } = info.messageImprint
  const isImprint =
    hashAlgorithm.algorithmId === sha256Oid &&
    sameBytes(hashedMessage.valueBlock.valueHexView, sha256(asked.data))
  if (!isImprint) return 'the time stamp is of something else'
  if (info.nonce === undefined || !sameBytes(info.nonce.valueBlock.valueHexView, asked.nonce))
    return 'the time stamp answers another question (nonce)'
  const offMs = Math.abs(info.genTime.getTime() - asked.nowMs)
  if (!(offMs <= timestampLimits.clockMs)) return 'the clock of the authority is off'
  const holds = await signed
    .verify({ signer: 0, data: asked.data.buffer, checkChain: false })
    .catch(() => false)
  return holds ? undefined : 'the signature of the time stamp does not hold'
}

async function openAnswer(
  bytes: Uint8Array<ArrayBuffer>,
): Promise<{ info: TSTInfoType; signed: SignedDataType } | string> {
  const { SignedData, TSTInfo, TimeStampResp, id_ContentType_SignedData, id_eContentType_TSTInfo } =
    await import('pkijs')
  const { fromBER } = await import('asn1js')
  try {
    if (fromBER(bytes).offset !== bytes.length) return 'the answer is not a time stamp'
    const { status, timeStampToken } = TimeStampResp.fromBER(bytes)
    if (!granted.includes(status.status)) return `the authority refuses (status ${status.status})`
    if (timeStampToken?.contentType !== id_ContentType_SignedData) return 'there is no token in it'
    const signed = new SignedData({ schema: timeStampToken.content as unknown })
    const { eContent, eContentType } = signed.encapContentInfo
    if (eContentType !== id_eContentType_TSTInfo || eContent === undefined)
      return 'the token is not a time stamp'
    return { info: TSTInfo.fromBER(eContent.getValue()), signed }
  } catch {
    return 'the answer is not a time stamp'
  }
}
