// Holds an answer against what /api/v1/openapi.json says about it: for contract tests.
import assert from 'node:assert/strict'

type Schema = {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  pattern?: string
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  anyOf?: Schema[]
  allOf?: Schema[]
  oneOf?: Schema[]
}
export type OpenApiDocument = {
  paths: Record<
    string,
    Record<
      string,
      { responses: Record<string, { content?: Record<string, { schema?: Schema }> }> } | undefined
    >
  >
  components?: { schemas?: Record<string, Schema> }
}
type Asks = {
  url: string
  key(scopes: ['blob:read']): Promise<string>
  ask(path: string, options: { key: string }): Promise<Response>
}

const documents = new Map<string, Promise<OpenApiDocument>>()

/** Asked for once a service. */
export function documentOf(api: Asks): Promise<OpenApiDocument> {
  const known =
    documents.get(api.url) ??
    (async () => {
      const answer = await api.ask('/api/v1/openapi.json', { key: await api.key(['blob:read']) })
      return (await answer.json()) as OpenApiDocument
    })()
  documents.set(api.url, known)
  return known
}

/** `path` as the document writes it. Returns the body. */
export async function checkAnswer(
  api: Asks,
  path: string,
  method: 'get' | 'post' | 'patch' | 'delete' | 'put',
  answer: Response,
): Promise<unknown> {
  const document = await documentOf(api)
  const declared = document.paths[path]?.[method]?.responses[String(answer.status)]
  assert.ok(declared, `${method} ${path} declares ${answer.status}`)
  const type = (answer.headers.get('content-type') ?? '').split(';', 1)[0] ?? ''
  if (declared.content === undefined) {
    assert.equal(await answer.text(), '', `${method} ${path} ${answer.status} has no body`)
    return undefined
  }
  const schema = declared.content[type]?.schema
  assert.ok(schema, `${method} ${path} ${answer.status} declares ${type}`)
  const body: unknown = type.endsWith('json') ? await answer.json() : await answer.text()
  const wrong = faultOf(document, schema, body, '$')
  assert.equal(wrong, undefined, `${method} ${path} ${answer.status}: ${wrong}`)
  return body
}

/** Where and why the value is not as the schema says; undefined: it is. A member that is not declared is a fault. */
function faultOf(
  document: OpenApiDocument,
  schema: Schema,
  value: unknown,
  at: string,
): string | undefined {
  if (schema.$ref !== undefined) {
    const named = document.components?.schemas?.[schema.$ref.split('/').at(-1) ?? '']
    return named === undefined
      ? `${at}: ${schema.$ref} is not declared`
      : faultOf(document, named, value, at)
  }
  const choices = schema.anyOf ?? schema.oneOf
  if (choices !== undefined) {
    const faults = choices.map((choice) => faultOf(document, choice, value, at))
    return faults.includes(undefined) ? undefined : faults[0]
  }
  for (const part of schema.allOf ?? []) {
    const fault = faultOf(document, part, value, at)
    if (fault !== undefined) return fault
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) return `${at}: not one of the enum`
  if (schema.const !== undefined && schema.const !== value) return `${at}: not the constant`
  const types = [schema.type ?? []].flat()
  if (types.length > 0 && !types.some((type) => isOfType(type, value)))
    return `${at}: not ${types.join(' or ')}`
  if (schema.pattern !== undefined && typeof value === 'string')
    if (!new RegExp(schema.pattern).test(value)) return `${at}: not of the pattern`
  if (Array.isArray(value) && schema.items !== undefined)
    return firstOf(value.map((item, i) => faultOf(document, schema.items!, item, `${at}[${i}]`)))
  if (typeof value === 'object' && value !== null && schema.properties !== undefined)
    return faultOfMembers(document, schema, value as Record<string, unknown>, at)
  return undefined
}

function faultOfMembers(
  document: OpenApiDocument,
  { properties = {}, required = [], additionalProperties }: Schema,
  value: Record<string, unknown>,
  at: string,
): string | undefined {
  const missing = required.find((name) => !(name in value))
  if (missing !== undefined) return `${at}.${missing}: missing`
  return firstOf(
    Object.entries(value).map(([name, member]) => {
      const schema = properties[name]
      if (schema !== undefined) return faultOf(document, schema, member, `${at}.${name}`)
      if (typeof additionalProperties === 'object')
        return faultOf(document, additionalProperties, member, `${at}.${name}`)
      return additionalProperties === true ? undefined : `${at}.${name}: not declared`
    }),
  )
}

function isOfType(type: string, value: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value)
    case 'null':
      return value === null
    case 'array':
      return Array.isArray(value)
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value)
    default:
      return typeof value === type
  }
}

function firstOf(faults: (string | undefined)[]): string | undefined {
  return faults.find((fault) => fault !== undefined)
}
