// The document says what everything is: no field, parameter, schema or operation without words, and no words for nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { apiInTest } from '../api-in-test.ts'
import { documentOf } from '../openapi-check.ts'
import { fieldWords, schemaWords } from './field-words.ts'
import { finished } from './openapi.ts'
import type { OpenApi } from './openapi.ts'
import { personRoutes, routeScopes } from './route-scopes.ts'

type Schema = {
  $ref?: string
  description?: string
  properties?: Record<string, Schema>
  [keyword: string]: unknown
}

test('every operation, parameter and field of the document has words, and each operation a name of its own', async (t) => {
  const api = await apiInTest(t)
  const document = (await documentOf(api)) as unknown as Required<OpenApi>
  const bare: string[] = []
  const names = new Set<string>()
  const look = (schema: Schema | undefined, at: string): void => {
    for (const [name, field] of Object.entries(schema?.properties ?? {})) {
      names.add(name)
      if (field.$ref === undefined && !field.description) bare.push(`${at}.${name}`)
      look(field, `${at}.${name}`)
    }
    for (const part of ['items', 'anyOf', 'oneOf', 'allOf'])
      for (const inner of [schema?.[part] ?? []].flat()) look(inner as Schema, at)
  }
  for (const [name, schema] of Object.entries(document.components.schemas ?? {})) {
    if (!schema.description) bare.push(name)
    look(schema, name)
  }
  const ids: string[] = []
  for (const [path, operations] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(operations)) {
      const at = `${method} ${path}`
      const { operationId = '', summary, description = '', parameters = [] } = operation
      ids.push(operationId)
      if (!summary || !/Needs the scope `|Opens to any key\.$/.test(description)) bare.push(at)
      for (const parameter of parameters) {
        names.add(parameter.name)
        if (!parameter.description) bare.push(`${at} ${parameter.name}`)
      }
      const bodies = [operation.requestBody, ...Object.values(operation.responses ?? {})]
      for (const body of bodies)
        for (const { schema } of Object.values(body?.content ?? {})) look(schema, at)
    }
  assert.deepEqual(bare, [])
  assert.equal(new Set(ids).size, ids.length, ids.join())
  assert.ok(ids.includes('getCasesById') && ids.includes('postMatchBatch'), ids.join())
  const unused = Object.keys(fieldWords).filter((name) => !names.has(name.split('.').at(-1) ?? ''))
  assert.deepEqual(unused, [])
  const schemas = Object.keys(document.components.schemas ?? {})
  assert.deepEqual(Object.keys(schemaWords).toSorted(), schemas.toSorted())
})

test('the routes that are said to need a person are those that refuse a program', async (t) => {
  const api = await apiInTest(t, { BLOBWATCH_API_REQUESTS_PER_SECOND: '100000' })
  const key = await api.key(['admin'])
  const refusing: string[] = []
  for (const operation of Object.keys(routeScopes)) {
    const [method = '', path = ''] = operation.split(' ')
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'openapi-test' }
    const body = method === 'get' ? {} : { body: '{}' }
    const init = { key, method: method.toUpperCase(), headers, ...body }
    const answer = await api.ask(`/api/v1${path.replaceAll(/\{\w+\}/g, '1')}`, init)
    if ((await answer.text()).includes('"code":"person-needed"')) refusing.push(operation)
  }
  assert.deepEqual(refusing, [...personRoutes])
})

test('what a route says of a field itself comes before the words that all have', () => {
  const own = { properties: { cid: { type: 'string', description: 'mine' }, did: {} } }
  const document = finished({ components: { schemas: { X: own } } })
  const { cid, did } = document.components.schemas.X.properties as Record<string, Schema>
  assert.deepEqual([cid?.description, did?.description], ['mine', fieldWords['did']])
})
