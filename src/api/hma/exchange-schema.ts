// The programmes that fill banks, as HMA's forms know them: which fields a configuration and its credentials have. Pure.
import { isPlainObject } from './plain-object.ts'

type FieldType = 'string' | 'number' | 'boolean' | 'enum' | 'set_of_number'

export type SchemaField = {
  name: string
  type: FieldType
  required: boolean
  default: unknown
  help: string | null
  choices: string[] | null
}

export type ExchangeApi = { config: SchemaField[]; credentials: SchemaField[] | null }

export const exchangeLimits = { valueCharsMax: 1000, setSizeMax: 1000 } as const

function field(
  name: string,
  type: FieldType,
  more: Partial<Omit<SchemaField, 'name' | 'type'>> = {},
): SchemaField {
  return { name, type, required: true, default: null, help: null, choices: null, ...more }
}

const secret = (name: string) => field(name, 'string')

const exchangeApis: ReadonlyMap<string, ExchangeApi> = new Map([
  [
    'fb_threatexchange',
    {
      config: [
        field('privacy_group', 'number', {
          help: 'ThreatPrivacyGroup ID for this collaboration',
        }),
      ],
      credentials: [secret('api_token')],
    },
  ],
  [
    'local_file',
    {
      config: [
        field('filename', 'string', { help: 'the file to read' }),
        field('signal_type', 'string', { required: false, help: 'of values without a type' }),
      ],
      credentials: null,
    },
  ],
  [
    'ncmec',
    {
      config: [
        field('environment', 'enum', {
          help: 'which database to connect to',
          choices: [
            'https://report.cybertip.org/hashsharing',
            'https://report.cybertip.org/exploitative-hashsharing',
            'https://lesp.ncmec.org/csam-hashsharing',
            'https://hashsharing.ncmec.org/npo',
            'https://hashsharing.ncmec.org/exploitative',
            'https://hashsharing.ncmec.org/generative-ai-csam',
            'https://hashsharing.ncmec.org/generative-ai-exploitative',
            'https://exttest.cybertip.org/hashsharing',
            'https://exttest.cybertip.org/exploitative-hashsharing',
            'https://betalesp.ncmec.org/csam-hashsharing',
            'https://hashsharing-test.ncmec.org/npo',
            'https://hashsharing-test.ncmec.org/exploitative',
            'https://hashsharing-test.ncmec.org/generative-ai-csam',
            'https://hashsharing-test.ncmec.org/generative-ai-exploitative',
          ],
        }),
        field('only_esp_ids', 'set_of_number', {
          required: false,
          default: [],
          help: 'only take entries of these service providers',
        }),
      ],
      credentials: [secret('user'), secret('password')],
    },
  ],
  [
    'stop_ncii',
    {
      config: [],
      credentials: [
        secret('fetch_function_key'),
        secret('subscription_key'),
        field('base_url_override', 'string', { required: false }),
      ],
    },
  ],
  ['tat', { config: [], credentials: [secret('username'), secret('password')] }],
])

/** With those of plug-ins: what they need stands in their manifests, so their forms are empty. */
export function apisWith(names: Iterable<string>): ReadonlyMap<string, ExchangeApi> {
  const empty: ExchangeApi = { config: [], credentials: null }
  const others = [...names].filter((name) => !exchangeApis.has(name))
  return new Map([...exchangeApis, ...others.map((name) => [name, empty] as const)])
}

/** What a form sent, with its defaults; or a sentence about what is wrong, without a value. Other fields are passed over. */
export function readSchema(
  fields: readonly SchemaField[],
  given: unknown,
): { values: Record<string, unknown> } | { wrong: string } {
  if (!isPlainObject(given)) return { wrong: 'must be object' }
  const values: Record<string, unknown> = {}
  for (const { name, type, required, default: standard, choices } of fields) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined
    if (value === undefined || value === null) {
      if (required) return { wrong: `missing value for field "${name}"` }
      if (standard !== null) values[name] = standard
      continue
    }
    const read = readers[type](value)
    if (read === undefined) return { wrong: `wrong value type for field "${name}"` }
    if (choices?.includes(read as string) === false)
      return { wrong: `no such choice for field "${name}"` }
    values[name] = read
  }
  return { values }
}

function readText(value: unknown): string | undefined {
  const isFine =
    typeof value === 'string' &&
    value.length <= exchangeLimits.valueCharsMax &&
    value.isWellFormed() &&
    !value.includes('\0')
  return isFine ? value : undefined
}

function readNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : undefined
}

function readSet(value: unknown): number[] | undefined {
  if (!Array.isArray(value) || value.length > exchangeLimits.setSizeMax) return undefined
  const numbers = value.map(readNumber)
  return numbers.every((one) => one !== undefined)
    ? [...new Set(numbers)].toSorted((a, b) => a - b)
    : undefined
}

const readers: Record<FieldType, (value: unknown) => unknown> = {
  string: readText,
  enum: readText,
  number: readNumber,
  boolean: (value) => (typeof value === 'boolean' ? value : undefined),
  set_of_number: readSet,
}
