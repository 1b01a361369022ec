// Reading as pydantic reads in its lax mode: numbers and yes/no may be texts, keys that are not asked for do not matter.
// Pure. Clients rely on it: one sends `"1"` for a number, another `"true"` for yes.
import { refuseFields } from './answers.ts'
import type { FieldError } from './answers.ts'

type Kind = 'text' | 'number' | 'yes-no'
type Field = { kind: Kind; required?: boolean }

type ValueOf<F extends Field> = F['kind'] extends 'text'
  ? string
  : F['kind'] extends 'yes-no'
    ? boolean
    : number
export type Fields<S extends Record<string, Field>> = {
  [Name in keyof S]: S[Name] extends { required: true }
    ? ValueOf<S[Name]>
    : ValueOf<S[Name]> | undefined
}

/** Every wrong field at once, as pydantic tells them. JSON's null counts as not given where a field may be missing. */
export function readFields<const S extends Record<string, Field>>(
  given: unknown,
  fields: S,
): Fields<S> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    refuseFields([{ type: 'model_type', loc: [], msg: 'Input should be a valid dictionary' }])
  const values: Record<string, unknown> = given as Record<string, unknown>
  const read: Record<string, unknown> = {}
  const errors: FieldError[] = []
  for (const [name, { kind, required }] of Object.entries(fields)) {
    const value = Object.hasOwn(values, name) ? values[name] : undefined
    if (required !== true && (value === undefined || value === null)) continue
    const parsed = readers[kind](value)
    if (value === undefined) errors.push({ type: 'missing', loc: [name], msg: 'Field required' })
    else if (parsed === undefined) errors.push({ ...complaintOf(kind, value), loc: [name] })
    else read[name] = parsed
  }
  if (errors.length > 0) refuseFields(errors)
  return read as Fields<S>
}

const yes = new Set(['true', '1', 'yes', 'on', 't', 'y'])
const no = new Set(['false', '0', 'no', 'off', 'f', 'n'])

export function readYesNo(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  if (value === 1 || value === 0) return value === 1
  if (typeof value !== 'string') return undefined
  const word = value.toLowerCase()
  return yes.has(word) ? true : no.has(word) ? false : undefined
}

function readNumber(value: unknown): number | undefined {
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'number') return value
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  // Numbers to pydantic as well: out of every range, and not unreadable.
  if (/^[+-]?(inf|infinity)$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
  if (/^[+-]?nan$/i.test(text)) return Number.NaN
  return numberShape.test(text) ? Number(text.replaceAll('_', '')) : undefined
}

const numberShape = /^[+-]?(\d[\d_]{0,39}(\.\d{0,40})?|\.\d{1,40})(e[+-]?\d{1,3})?$/i

const readers: Record<Kind, (value: unknown) => unknown> = {
  text: (value) => (typeof value === 'string' ? value : undefined),
  number: readNumber,
  'yes-no': readYesNo,
}

/** pydantic tells what it could not parse from what is of no fitting type at all. */
function complaintOf(kind: Kind, value: unknown): Omit<FieldError, 'loc'> {
  const isText = typeof value === 'string'
  switch (kind) {
    case 'text':
      return { type: 'string_type', msg: 'Input should be a valid string' }
    case 'number':
      return isText
        ? {
            type: 'float_parsing',
            msg: 'Input should be a valid number, unable to parse string as a number',
          }
        : { type: 'float_type', msg: 'Input should be a valid number' }
    case 'yes-no':
      return isText || Number.isInteger(value)
        ? {
            type: 'bool_parsing',
            msg: 'Input should be a valid boolean, unable to interpret input',
          }
        : { type: 'bool_type', msg: 'Input should be a valid boolean' }
    default:
      return kind satisfies never
  }
}
