// The fields a log line may carry: an allow-list with a rule for each (promise 8). What is not listed, or does not
// keep its rule, is left out of the line, whatever the caller meant.
//
// Left out on purpose, at every level: DIDs, handles, record URIs, blob CIDs, signals, e-mail and IP addresses.
// A CID is a hash of the picture and a DID names a person; logs travel further than the database does. Who needs
// the subject looks up the case or action number. Hosts stay: without them no outage can be told from another.
import { scrub } from './scrub.ts'

const wordCharsMax = 64
const hostCharsMax = 253

type Kept = string | number | boolean
/** What a field's value must be, and what of it is written; undefined leaves the field out. */
type Rule<Value> = { type?: 'string' | 'number' | 'boolean'; keep(value: Value): Kept | undefined }

const isWord = (value: string): boolean =>
  /^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(value) && value.length <= wordCharsMax && !isTelling(value)
/** A DID, a CID, a hash or an address also looks like a word. */
const isTelling = (value: string): boolean => scrub(value) !== value

/** One of our own union members or names: `takedown-blob`, `rate-limited`, `pdq`. */
const word: Rule<string> = { type: 'string', keep: (value) => (isWord(value) ? value : undefined) }
/** A request id that we made ourselves. */
const uuid: Rule<string> = {
  type: 'string',
  keep: (value) => (/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value) ? value : undefined),
}
const amount: Rule<number> = {
  type: 'number',
  keep: (value) => (Number.isFinite(value) ? value : undefined),
}
const flag: Rule<boolean> = { type: 'boolean', keep: (value) => value }
/** A host name with an optional port; an address instead of a name is not written down. */
const host: Rule<string> = {
  type: 'string',
  keep: (value) => (isHostName(value) ? value.toLowerCase() : '[address]'),
}
/** An error as its kind and its scrubbed, bounded message; never its stack or cause. */
const failure: Rule<unknown> = {
  keep: (value) =>
    value instanceof Error
      ? `${isWord(value.name) ? value.name : 'Error'}: ${scrub(value.message)}`
      : scrub(String(value)),
}

function isHostName(value: string): boolean {
  const form = /^[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*(:\d{1,5})?$/i
  return value.length <= hostCharsMax && form.test(value)
}

export const logFieldRules = {
  outcome: word,
  kind: word,
  reason: word,
  verdict: word,
  source: word,
  mode: word,
  state: word,
  signalType: word,
  component: word,
  worker: word,
  version: word,
  requestId: uuid,
  setting: word,
  method: word,
  host,
  error: failure,
  caseNumber: amount,
  actionId: amount,
  count: amount,
  sightings: amount,
  matches: amount,
  undecodable: amount,
  gaps: amount,
  backlog: amount,
  entries: amount,
  bytes: amount,
  seq: amount,
  generation: amount,
  knownGeneration: amount,
  signals: amount,
  percent: amount,
  layout: word,
  epoch: amount,
  status: amount,
  attempt: amount,
  port: amount,
  ms: amount,
  lagMs: amount,
  applied: flag,
  already: flag,
} as const

export type LogField = keyof typeof logFieldRules
export type LogFields = {
  [K in LogField]?: Parameters<(typeof logFieldRules)[K]['keep']>[0]
}

/** Only listed fields that keep their rule; `dropped` counts the others. */
export function allowedFields(fields: object): Record<string, Kept> {
  const allowed: Record<string, Kept> = {}
  let dropped = 0
  for (const [name, value] of Object.entries(fields) as [string, unknown][]) {
    if (value === undefined) continue
    const kept = Object.hasOwn(logFieldRules, name) ? keep(name as LogField, value) : undefined
    if (kept === undefined) dropped += 1
    else allowed[name] = kept
  }
  return dropped === 0 ? allowed : { ...allowed, dropped }
}

function keep(name: LogField, value: unknown): Kept | undefined {
  const rule = logFieldRules[name] as Rule<unknown>
  return rule.type === undefined || typeof value === rule.type ? rule.keep(value) : undefined
}
