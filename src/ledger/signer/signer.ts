// What signs the ledger's checkpoints: the port, and the signer itself. It runs inside the service, or as a process and
// user of its own behind a socket (signer-server.ts), where whoever rules the database cannot get a rewrite signed.
//
// It signs for the log that its key is named after, and for `NAME/recovered-2` and on, which begin when a ledger could
// not be continued; for nothing else.
import { FatalError, PermanentError } from '../../domain/errors.ts'
import { formatCheckpoint } from '../note/checkpoint.ts'
import { formatVerifierKey } from '../note/key.ts'
import { formatNote } from '../note/note.ts'
import type { SignerKey } from '../note/signer-key.ts'
import type { Head, HeadKeeper } from './head-keeper.ts'

/** `proof`: consistency from `old` to `size`; empty from 0 and between equal sizes. */
export type SignRequest = {
  origin: string
  old: number
  size: number
  root: Uint8Array
  proof: Uint8Array[]
}

export type SignAnswer =
  | { kind: 'signed'; note: string }
  /** `head`: what this signer has signed last for that log. */
  | { kind: 'refused'; reason: string; head: Head | undefined }

/**
 * Every method may be called concurrently; none retries. `sign` is durable when it answers `signed`. When it throws or
 * the answer is lost, ask `head` and sign from there: the same head again is the same note.
 *
 * All throw RetryableError when the signer is away or could not keep its head. `head` throws FatalError when the signer
 * does not know any more what it signed; `sign` refuses then. `head` and `verifierKey` throw PermanentError for an
 * origin that is not this signer's.
 */
export type LedgerSigner = {
  head(origin: string): Promise<Head | undefined>
  sign(request: SignRequest): Promise<SignAnswer>
  /** `NAME+ID+BASE64`, to be pinned. Without an origin that of the name itself. */
  verifierKey(origin?: string): Promise<string>
}

/** `key`: of type log. */
export function createSigner(options: { key: SignerKey; keeper: HeadKeeper }): LedgerSigner {
  const { key, keeper } = options
  if (key.verifier.type !== 'log') throw new TypeError('a log signs with a key of type log')
  const { name } = key.verifier

  const keyFor = (origin: string): SignerKey => {
    if (!isOriginOf(name, origin))
      throw new PermanentError(`this signer signs for ${name}, not for ${origin}`)
    return origin === name ? key : key.named(origin)
  }

  return {
    async head(origin) {
      keyFor(origin)
      const kept = await keeper.head(origin)
      return kept && { size: kept.size, root: kept.root }
    },
    async sign(request) {
      const { origin } = request
      try {
        const text = formatCheckpoint(request)
        const signing = keyFor(origin)
        const answer = await keeper.grow({
          ...request,
          sign: () => formatNote({ text, signatures: [signing.sign(text, 0)] }),
        })
        if (answer.kind === 'kept') return { kind: 'signed', note: answer.note }
        return { kind: 'refused', reason: reasonOf(request, answer), head: answer.head }
      } catch (error) {
        if (!(error instanceof PermanentError || error instanceof FatalError)) throw error
        return { kind: 'refused', reason: error.message, head: undefined }
      }
    },
    async verifierKey(origin = name) {
      return await Promise.resolve(formatVerifierKey(keyFor(origin).verifier))
    },
  }
}

/** `NAME` itself, or `NAME/recovered-N` with N from 2. */
export function isOriginOf(name: string, origin: string): boolean {
  if (origin === name) return true
  if (!origin.startsWith(`${name}/recovered-`)) return false
  const number = origin.slice(`${name}/recovered-`.length)
  return /^[1-9]\d{0,5}$/.test(number) && number !== '1'
}

function reasonOf(
  { origin, old, size }: SignRequest,
  { why, head }: { why: 'stale' | 'forked' | 'unproven'; head: Head | undefined },
): string {
  const own = head?.size ?? 0
  switch (why) {
    case 'stale':
      return own > size
        ? `${origin} was signed at ${own} entries already: a ledger of ${size} has lost some`
        : `the newest head signed for ${origin} has ${own} entries, not ${old}`
    case 'forked':
      return `${origin} was signed at ${own} entries with another root: these are other entries`
    case 'unproven':
      return `nothing proves that the ${size} entries of ${origin} continue the ${own} that were signed`
    default:
      throw new TypeError(`unknown refusal ${String(why satisfies never)}`)
  }
}
