// What no database keeps and no stack holds, in every field of every route: the caller hears what is wrong, never a 500.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createBank } from '../banks/bank-store.ts'
import { apiInTest } from './api-in-test.ts'
import type { ApiInTest } from './api-in-test.ts'
import { documentOf } from './openapi-check.ts'

type Schema = {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  anyOf?: Schema[]
  properties?: Record<string, Schema>
  items?: Schema
}
type Operation = {
  parameters?: { name: string; in: string }[]
  requestBody?: { content: Record<string, { schema: Schema }> }
}

/** What is good enough to come as far as the database. */
const good: Record<string, string> = {
  did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz',
  cid: 'bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy',
  name: 'KNOWN',
  content_id:
    'did:plc:ewvi7nxzyoun6zhxrhs64oiz/bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy',
  value: 'e03cf3a1830fbe5335c4e1c56a125e9b9a48aa335eac958c561bfe50e0ff9f44',
  hash_value: 'e03cf3a1830fbe5335c4e1c56a125e9b9a48aa335eac958c561bfe50e0ff9f44',
  hash_type: 'sha256',
  received: '2026-01-01T00:00:00Z',
  label: 'spam',
}

/** Stands for `deepText`: JSON.stringify cannot go as deep as JSON.parse. */
const deep = '@deep@'
const deepText = '{"a":'.repeat(20_000) + '1' + '}'.repeat(20_000)
const hostile = ['a\0b', '\ud800', '0000-01-01T00:00:00Z', deep]
const hostileInPaths = ['%00', '%ed%a0%80', '9'.repeat(400)]

test('no text in any field is a fault of ours', async (t) => {
  const api = await apiInTest(t, { BLOBWATCH_API_REQUESTS_PER_SECOND: '100000' })
  const nowMs = Date.now()
  const bank = { name: 'KNOWN', mode: 'observe', class: 'open' } as const
  await createBank(api.database.app, { ...bank, principal: api.person, nowMs })
  const key = await api.key(['admin'], { isPerson: true })
  const review = { action_id: 'one', action_type: 'review', content_id: good['content_id'] }
  await send(api, key, { method: 'post', path: '/action', body: review })
  const document = (await documentOf(api)) as unknown as Document
  const faults: string[] = []
  let asked = 0
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(methods))
      for (const request of requestsOf(document, { path, method, operation })) {
        const status = await send(api, key, request)
        asked += 1
        if (status >= 500 && status !== 501)
          faults.push(`${status} ${method} ${request.path.slice(0, 80)} ${request.what}`)
      }
  assert.deepEqual(faults, [])
  assert.ok(asked > 200, `only ${asked} were asked`)
  assert.deepEqual(api.lines, [])
})

type Document = { paths: Record<string, Record<string, Operation>> }
type Request = { method: string; path: string; body?: unknown; what?: string }

function* requestsOf(
  document: Document,
  { path, method, operation }: { path: string; method: string; operation: Operation },
): Generator<Request> {
  const filled = (other: Record<string, string> = {}) =>
    path.replaceAll(/\{(\w+)\}/g, (_, name: string) => other[name] ?? good[name] ?? '1')
  const schema = operation.requestBody?.content['application/json']?.schema
  const body = schema && sample(document, schema)
  for (const { name, in: place } of operation.parameters ?? []) {
    for (const text of hostileInPaths) {
      const what = `${place} ${name} ${text.slice(0, 20)}`
      if (place === 'path') yield { method, path: filled({ [name]: text }), body, what }
      if (place === 'query') yield { method, path: `${filled()}?${name}=${text}`, body, what }
    }
  }
  for (const [what, changed] of changes(body)) yield { method, path: filled(), body: changed, what }
}

/** One hostile value in each place of it. */
function* changes(value: unknown): Generator<[string, unknown]> {
  for (const bad of hostile) yield [JSON.stringify(bad).slice(0, 20), bad]
  if (typeof value !== 'object' || value === null) return
  for (const [name, inner] of Object.entries(value))
    for (const [what, changed] of changes(inner)) {
      const copy = structuredClone(value) as Record<string, unknown>
      copy[name] = changed
      yield [`${name}: ${what}`, copy]
    }
}

function sample(document: object, schema: Schema, name = ''): unknown {
  if (schema.$ref !== undefined) {
    const at = (found: unknown, part: string) => (found as Record<string, unknown>)[part]
    return sample(document, schema.$ref.split('/').slice(1).reduce(at, document) as Schema, name)
  }
  if (name in good) return good[name]
  if (schema.enum !== undefined) return schema.enum[0]
  if (schema.anyOf !== undefined) return sample(document, schema.anyOf[0] ?? {}, name)
  switch ([schema.type].flat()[0] ?? '') {
    case 'object':
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([part, inner]) => [
          part,
          sample(document, inner, part),
        ]),
      )
    case 'array':
      return [sample(document, schema.items ?? {}, name)]
    case 'boolean':
      return true
    case 'integer':
    case 'number':
      return 1
    default:
      return 'text'
  }
}

let sent = 0

async function send(api: ApiInTest, key: string, { method, path, body }: Request): Promise<number> {
  sent += 1
  const answer = await api.ask(`/api/v1${path}`, {
    key,
    method: method.toUpperCase(),
    headers: { 'content-type': 'application/json', 'idempotency-key': `hostile-${sent}` },
    ...(body !== undefined && method !== 'get' && { body: textOf(body) }),
  })
  await answer.body?.cancel()
  return answer.status
}

function textOf(body: unknown): string {
  return JSON.stringify(body).replaceAll(`"${deep}"`, deepText)
}
