// What `match` is asked about: files, hex signals and blob CIDs, as signals.
import { existsSync } from 'node:fs'
import { signalDigits, signalTypes } from '../domain/blob.ts'
import type { AnySignalType, SignalType, Signals } from '../domain/blob.ts'
import { blobDigest } from '../domain/cid.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { hashFile, whyLess, withHasher } from './read-blob.ts'

export type Query = { what: string; signals: Signals; unscannable?: string }

/** A query by another type has no sha256; no bank signal is the empty text. */
export const withoutSha256 = ''

type Known = { type: AnySignalType | undefined; others: OtherTypes }

/** Throws UsageError for what is none of these. */
export async function readQueries(io: Io, what: string[], known: Known): Promise<Query[]> {
  const isFile = (one: string) => one === '-' || existsSync(one)
  const bySignal = what.filter((one) => !isFile(one)).map((one) => querySignal(one, known))
  const files = what.filter(isFile)
  if (files.length === 0) return bySignal
  const byFile = await withHasher(io, async (hasher) => {
    const queries: Query[] = []
    for (const file of files) {
      const hashed = await hashFile(io, hasher, file)
      const signals = 'signals' in hashed ? hashed.signals : { sha256: withoutSha256 }
      const unscannable = whyLess(hashed)
      queries.push({ what: file, signals, ...(unscannable !== undefined && { unscannable }) })
    }
    return queries
  })
  return [...byFile, ...bySignal]
}

/** 64 hex digits may be a sha256, a PDQ hash or a plug-in's value: all are tried unless --type says which. */
function querySignal(text: string, { type, others }: Known): Query {
  const digest = blobDigest(text)
  const value = (digest ?? text).toLowerCase()
  const fits = (one: SignalType) =>
    (type === undefined || type === one) && value.length === signalDigits[one]
  const ofOthers = [...others.values()].filter(
    (rule) => (type === undefined || type === rule.type) && value.length === rule.digits,
  )
  if (!/^[0-9a-f]+$/.test(value) || !(signalTypes.some(fits) || ofOthers.length > 0)) {
    const wanted = type === undefined ? '' : ` of type ${type}`
    throw new UsageError(`${text} is neither a file nor a signal${wanted} in hex nor a blob CID`)
  }
  return {
    what: text,
    signals: {
      sha256: fits('sha256') ? value : withoutSha256,
      ...(fits('md5') && { md5: value }),
      ...(fits('sha1') && { sha1: value }),
      ...(fits('pdq') && digest === undefined && { pdq: { hash: value, quality: 100 } }),
      ...(fits('clip') && { clip: value }),
      ...(ofOthers.length > 0 &&
        digest === undefined && {
          others: ofOthers.map(({ type, version }) => ({ type, version, value })),
        }),
    },
  }
}
