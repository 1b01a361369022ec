import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from '@hono/zod-openapi'
import { givenTime, number, text } from './declare.ts'
import { fieldErrors, fieldSentence } from './field-errors.ts'

function said(schema: z.ZodType, value: unknown, target = 'json'): string {
  const { error } = schema.safeParse(value)
  assert.ok(error, 'nothing is wrong')
  return fieldSentence(fieldErrors(error.issues, target))
}

test('a field that is wrong is named with what it has to be', () => {
  const fields = z.strictObject({
    url: z.url().optional(),
    kind: z.enum(['a', 'b']).default('a'),
    note: text.min(1).max(3).optional(),
    since: givenTime.optional(),
    id: number.optional(),
    list: z.array(z.int()).max(1).optional(),
    share: z.number().max(1).optional(),
  })
  assert.equal(said(z.object({ url: z.url() }), {}), 'url is missing.')
  assert.equal(said(fields, { url: 'x' }), 'url has to be an http or https address.')
  assert.equal(said(fields, { kind: 'c' }), 'kind has to be one of a, b.')
  assert.equal(said(fields, { note: '' }), 'note may not be empty.')
  assert.equal(said(fields, { note: 'four' }), 'note has to have at most 3 characters.')
  assert.equal(said(fields, { note: 5 }), 'note has to be a text.')
  assert.equal(said(fields, { note: 'a\0' }), 'note holds U+0000 or half a character.')
  const time = 'since has to be a time in UTC like 2026-11-29T10:00:00Z.'
  assert.equal(said(fields, { since: 'yesterday' }), time)
  assert.equal(said(fields, { since: '1960-01-01T00:00:00Z' }), 'since is before 1970.')
  assert.equal(said(fields, { id: 'x' }, 'query'), 'id has to be a whole number.')
  assert.equal(said(fields, { list: [1, 2] }), 'list has to have at most 1 items.')
  assert.equal(said(fields, { list: [1.5] }), 'list.0 has to be a whole number.')
  assert.equal(said(fields, { share: 31 }), 'share has to be at most 1.')
  assert.equal(said(fields, []), 'The body has to be an object.')
  assert.equal(said(fields, { nto: 'x' }), 'The body has a field that is not known here: nto.')
  const many = z.object({ a: text, b: text, c: text, d: text })
  assert.equal(said(many, {}), 'a is missing; b is missing; c is missing; 1 more in errors.')
})

test('nothing of what was sent comes back, nor a name that could be a signal', () => {
  const fields = z.strictObject({ url: z.url(), kind: z.enum(['a']), id: z.int(), deep: z.any() })
  const secret = 'e03cf3a1830fbe5335c4e1c56a125e9b'
  const sentence = said(fields, { url: secret, kind: secret, id: secret, [secret]: secret })
  assert.doesNotMatch(sentence, new RegExp(secret.slice(0, 6)))
})
