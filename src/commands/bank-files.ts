// The signals that a file gives to a bank.
import type { NewSignal } from '../banks/new-signal.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import type { Hasher } from '../domain/ports.ts'
import type { Io } from './io.ts'
import { hashFile } from './read-blob.ts'

/** A picture that says too little would match half the network: its PDQ stays out, its digests are as good as any. */
export async function signalsOfFile(
  io: Io,
  hasher: Hasher,
  file: string,
): Promise<{ signals: NewSignal[]; leftOut?: string }> {
  const hashed = await hashFile(io, hasher, file)
  if (!('signals' in hashed)) throw new UsageError(`${file} is larger than a blob may be`)
  if (hashed.unscannable === 'empty') throw new UsageError(`${file} is empty`)
  const { sha256, md5, sha1, pdq } = hashed.signals
  const signals: NewSignal[] = [{ type: 'sha256', value: sha256 }]
  if (md5 !== undefined) signals.push({ type: 'md5', value: md5 })
  if (sha1 !== undefined) signals.push({ type: 'sha1', value: sha1 })
  if (pdq !== undefined && pdq.quality >= pdqQualityMin) {
    signals.push({ type: 'pdq', value: pdq.hash, quality: pdq.quality })
    return { signals }
  }
  const why =
    pdq === undefined
      ? `no PDQ (${hashed.unscannable ?? `a ${hashed.media} file`})`
      : `PDQ refused: quality ${pdq.quality} is under ${pdqQualityMin}`
  return { signals, leftOut: `${why}; only exact copies will match` }
}
