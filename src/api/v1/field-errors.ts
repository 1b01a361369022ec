// What is wrong with the fields of a request, in words. What was sent is not repeated, but for the name of a field that is
// not known: whoever mistyped it has to find it.

export type FieldError = { field: string; message: string }

/** Of a schema (Zod's), as far as it is looked at here. */
export type FieldIssue = {
  code: string
  path: readonly PropertyKey[]
  message: string
  expected?: unknown
  format?: unknown
  keys?: readonly string[]
  values?: readonly unknown[]
  origin?: unknown
  minimum?: unknown
  maximum?: unknown
}

/** Where the fields stand, for what is wrong with all of them together. */
const places: Record<string, string> = {
  json: 'the body',
  query: 'the query',
  header: 'the headers',
  param: 'the path',
}
const shownInSentence = 3
const keyShown = /^[A-Za-z_]{1,30}$/

export function fieldErrors(issues: readonly FieldIssue[], target: string): FieldError[] {
  const errors = issues.map((issue) => ({
    field: issue.path.join('.') || (places[target] ?? 'the request'),
    message: wordsFor(issue),
  }))
  // One sentence a field: a time that is none is not also too early.
  return errors.filter(({ field }, at) => errors.findIndex((one) => one.field === field) === at)
}

/** All of it in one sentence. */
export function fieldSentence(errors: readonly FieldError[]): string {
  const shown = errors.slice(0, shownInSentence).map(({ field, message }) => `${field} ${message}`)
  const more =
    errors.length > shown.length ? `; ${errors.length - shown.length} more in errors` : ''
  // Names of fields keep their case.
  return `${shown.join('; ')}${more}.`.replace(/^the /, 'The ')
}

function wordsFor(issue: FieldIssue): string {
  if (isOwn(issue.message)) return issue.message
  switch (issue.code) {
    case 'invalid_type':
      if (issue.message.endsWith('received undefined')) return 'is missing'
      return `has to be ${nouns[String(issue.expected)] ?? String(issue.expected)}`
    case 'invalid_value':
      return `has to be one of ${(issue.values ?? []).join(', ')}`
    case 'too_small':
      if (isCounted(issue) && issue.minimum === 1) return 'may not be empty'
      return `${amountOf(issue)} at least ${String(issue.minimum)}${unitOf(issue)}`
    case 'too_big':
      return `${amountOf(issue)} at most ${String(issue.maximum)}${unitOf(issue)}`
    case 'unrecognized_keys': {
      const named = (issue.keys ?? []).filter((key) => keyShown.test(key)).slice(0, shownInSentence)
      return `has a field that is not known here${named.length > 0 ? `: ${named.join(', ')}` : ''}`
    }
    case 'invalid_format':
      return formats[String(issue.format)] ?? 'is malformed'
    default:
      return 'is not as it has to be'
  }
}

/** Said by a schema of ours, not by the library. */
function isOwn(message: string): boolean {
  return !/^(?:Invalid|Too (?:small|big)|Unrecognized)/.test(message)
}

const nouns: Record<string, string> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  boolean: 'true or false',
}

const formats: Record<string, string> = {
  url: 'has to be an http or https address',
  datetime: 'has to be a time in UTC like 2026-11-29T10:00:00Z',
}

const isCounted = ({ origin }: FieldIssue) => origin === 'string' || origin === 'array'
const amountOf = (issue: FieldIssue) => (isCounted(issue) ? 'has to have' : 'has to be')
const unitOf = ({ origin }: FieldIssue) =>
  origin === 'string' ? ' characters' : origin === 'array' ? ' items' : ''
