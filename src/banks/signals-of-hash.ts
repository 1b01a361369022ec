// The signals that a hashed file gives to a bank. Pure.
import { pdqQualityMin } from '../domain/blob.ts'
import type { HashOutcome } from '../domain/ports.ts'
import type { NewSignal } from './new-signal.ts'

/** A picture that says too little would match half the network: its PDQ stays out, its digests are as good as any. */
export function signalsOfHash(hashed: HashOutcome): { signals: NewSignal[]; leftOut?: string } {
  const { signals, leftOut } = ourSignals(hashed)
  const {
    failedPlugins = [],
    signals: { others: said = [] },
  } = hashed
  const refused = said.filter((one) => one.refused === true)
  const others = said.flatMap(({ type, value, quality }) =>
    value === undefined ? [] : [{ type, value, ...(quality !== undefined && { quality }) }],
  )
  const exactOnly = others.length === 0 ? '; only exact copies will match' : ''
  const told = [
    ...(leftOut === undefined ? [] : [`${leftOut}${exactOnly}`]),
    ...failedPlugins.map((name) => `plug-in ${name} gave no answer`),
    ...refused.map(({ type }) => `plug-in ${type} refused it`),
  ]
  return { signals: [...signals, ...others], ...(told.length > 0 && { leftOut: told.join('; ') }) }
}

function ourSignals(hashed: HashOutcome): { signals: NewSignal[]; leftOut?: string } {
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
  return { signals, leftOut: why }
}
