// For contract tests: every answer is held against what /api/v1/openapi.json says of its path, method, status and type.
//
// Promises: an answer that the document does not describe fails the test, and so does a keyword that is not understood
// here: a check that passes has looked at everything. Assumes OpenAPI 3.1 as `createRoute` makes it.
import assert from 'node:assert/strict'
import type { ApiInTest } from './api-in-test.ts'

type Schema = Record<string, unknown> | boolean
export type OpenApiDocument = {
  paths: Record<string, Record<string, { responses: Record<string, DeclaredAnswer> }>>
  components?: { schemas?: Record<string, Schema> }
}
type DeclaredAnswer = { content?: Record<string, { schema: Schema }> }

export type CheckedAnswer<Body = Record<string, unknown>> = {
  status: number
  headers: Headers
  body: Body
}

/** Asks as `api.ask` does, for a path under /api/v1, and gives the JSON that came after it was held against the document. */
export type CheckedAsk = <Body = Record<string, unknown>>(
  path: string,
  options: RequestInit & { key: string; json?: unknown },
) => Promise<CheckedAnswer<Body>>

export async function checkedAsk(api: Pick<ApiInTest, 'ask' | 'key' | 'url'>): Promise<CheckedAsk> {
  const document = await documentOf(api)
  const ask = async (
    path: string,
    { json, ...options }: RequestInit & { key: string; json?: unknown },
  ): Promise<CheckedAnswer<unknown>> => {
    const { headers, ...init } = options
    const sent = new Headers(headers)
    if (json !== undefined) sent.set('content-type', 'application/json')
    const body = json === undefined ? {} : { method: 'POST', body: JSON.stringify(json) }
    const answer = await api.ask(`/api/v1${path}`, { ...body, ...init, headers: sent })
    const found: unknown = JSON.parse(await answer.text())
    const method = init.method ?? (json === undefined ? 'GET' : 'POST')
    checkBody(document, { method, path, answer, body: found })
    return { status: answer.status, headers: answer.headers, body: found }
  }
  return ask as CheckedAsk
}

const documents = new Map<string, Promise<OpenApiDocument>>()

/** Asked for once a service. */
export function documentOf(api: Pick<ApiInTest, 'ask' | 'key' | 'url'>): Promise<OpenApiDocument> {
  const known = documents.get(api.url) ?? readDocument(api)
  documents.set(api.url, known)
  return known
}

async function readDocument({
  ask,
  key,
}: Pick<ApiInTest, 'ask' | 'key'>): Promise<OpenApiDocument> {
  const reader = await key(['report'], { name: 'reads the document' })
  const response = await ask('/api/v1/openapi.json', { key: reader })
  assert.equal(response.status, 200)
  return (await response.json()) as OpenApiDocument
}

/** `path` as the document writes it. Gives the body; a text is given as it is, and so is the emptiness of a 204. */
export async function checkAnswer(
  api: Pick<ApiInTest, 'ask' | 'key' | 'url'>,
  path: string,
  method: 'get' | 'post' | 'patch' | 'delete' | 'put',
  answer: Response,
): Promise<unknown> {
  const document = await documentOf(api)
  const declared = document.paths[path]?.[method]?.responses[String(answer.status)]
  assert.ok(declared, `${method} ${path} declares ${answer.status}`)
  const text = await answer.text()
  if (declared.content === undefined) {
    assert.equal(text, '', `${method} ${path} ${answer.status} has no body`)
    return undefined
  }
  const isJson = (answer.headers.get('content-type') ?? '').split(';', 1)[0]?.endsWith('json')
  const body: unknown = isJson === true ? JSON.parse(text) : text
  checkBody(document, { method, path, answer, body })
  return body
}

function checkBody(
  document: OpenApiDocument,
  { method, path, answer, body }: { method: string; path: string; answer: Response; body: unknown },
): void {
  const name = `${method} ${path} ${answer.status}`
  const declared = pathOf(document, path.split('?', 1)[0] ?? '')[method.toLowerCase()]
  assert.ok(declared, `${name}: not in the document`)
  const type = (answer.headers.get('content-type') ?? '').split(';', 1)[0] ?? ''
  const content = declared.responses[String(answer.status)]?.content?.[type]
  assert.ok(content, `${name}: no such answer in the document, or not as ${type}`)
  assert.deepEqual(faultsOf(document, content.schema, body, 'body'), [], name)
}

/** A literal path comes before one with a parameter in it. */
function pathOf(document: OpenApiDocument, path: string): OpenApiDocument['paths'][string] {
  const literal = document.paths[path]
  if (literal !== undefined) return literal
  for (const [template, methods] of Object.entries(document.paths)) {
    const pattern = template.replaceAll(/[.*+?^$()|[\]\\]/g, '\\$&').replaceAll(/\{\w+\}/g, '[^/]+')
    if (new RegExp(`^${pattern}$`).test(path)) return methods
  }
  return {}
}

type Rule = (value: unknown, rule: never, schema: Record<string, unknown>) => boolean

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const types: Record<string, (value: unknown) => boolean> = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: (value) => Number.isSafeInteger(value),
  boolean: (value) => typeof value === 'boolean',
  null: (value) => value === null,
  array: (value) => Array.isArray(value),
  object: isObject,
}

const rules: Record<string, Rule> = {
  type: (value, rule: string | string[]) => [rule].flat().some((type) => types[type]?.(value)),
  enum: (value, rule: unknown[]) => rule.includes(value),
  const: (value, rule: unknown) => value === rule,
  pattern: (value, rule: string) => typeof value !== 'string' || new RegExp(rule, 'u').test(value),
  minLength: (value, rule: number) => typeof value !== 'string' || value.length >= rule,
  maxLength: (value, rule: number) => typeof value !== 'string' || value.length <= rule,
  minimum: (value, rule: number) => typeof value !== 'number' || value >= rule,
  maximum: (value, rule: number) => typeof value !== 'number' || value <= rule,
  exclusiveMinimum: (value, rule: number) => typeof value !== 'number' || value > rule,
  minItems: (value, rule: number) => !Array.isArray(value) || value.length >= rule,
  maxItems: (value, rule: number) => !Array.isArray(value) || value.length <= rule,
  required: (value, rule: string[]) => !isObject(value) || rule.every((name) => name in value),
}
const wordsOnly = new Set(['description', 'title', 'example', 'examples', 'default', 'format'])

function faultsOf(document: OpenApiDocument, schema: Schema, value: unknown, at: string): string[] {
  if (schema === true) return []
  if (schema === false) return [`${at} is not allowed`]
  const inside = (one: Schema, part: unknown, name: string) => faultsOf(document, one, part, name)
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    const simple = rules[keyword]
    if (simple !== undefined)
      return simple(value, rule as never, schema)
        ? []
        : [`${at}: ${keyword} ${JSON.stringify(rule)}`]
    switch (keyword) {
      case '$ref': {
        const name = String(rule).replace('#/components/schemas/', '')
        const named = document.components?.schemas?.[name]
        return named === undefined ? [`${at}: no schema ${name}`] : inside(named, value, at)
      }
      case 'anyOf':
      case 'oneOf': {
        const tried = (rule as Schema[]).map((one) => inside(one, value, at))
        return tried.some((faults) => faults.length === 0) ? [] : tried.flat()
      }
      case 'allOf':
        return (rule as Schema[]).flatMap((one) => inside(one, value, at))
      case 'items':
        return Array.isArray(value)
          ? value.flatMap((item, n) => inside(rule as Schema, item, `${at}[${n}]`))
          : []
      case 'properties': {
        if (!isObject(value)) return []
        const declared = rule as Record<string, Schema>
        const strangers = 'additionalProperties' in schema ? [] : Object.keys(value)
        return [
          ...strangers
            .filter((name) => !(name in declared))
            .map((name) => `${at}.${name} is not declared`),
          ...Object.entries(declared).flatMap(([name, one]) =>
            name in value ? inside(one, value[name], `${at}.${name}`) : [],
          ),
        ]
      }
      case 'additionalProperties': {
        const known = Object.keys(schema['properties'] ?? {})
        return isObject(value)
          ? Object.entries(value)
              .filter(([name]) => !known.includes(name))
              .flatMap(([name, part]) => inside(rule as Schema, part, `${at}.${name}`))
          : []
      }
      case 'propertyNames':
        return isObject(value)
          ? Object.keys(value).flatMap((name) => inside(rule as Schema, name, `${at} key ${name}`))
          : []
      default:
        return wordsOnly.has(keyword) ? [] : [`${at}: ${keyword} is not understood`]
    }
  })
}
