import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryableError, UsageError } from '../domain/errors.ts'
import { hmaError } from './hma-database.ts'

const fault = (code: string) => Object.assign(new Error('at 10.0.0.5'), { code })

test('an HMA that is away in the middle is worth another try; at the first word the address may be wrong', () => {
  for (const code of ['ECONNREFUSED', 'ENOENT', 'ENOTFOUND', 'CONNECT_TIMEOUT']) {
    const later = hmaError('read the contents', fault(code))
    assert.ok(later instanceof RetryableError, code)
    assert.match(later.message, /^could not read the contents: .*; the same command goes on/)
    const first = hmaError('look at the tables', fault(code), { isFirst: true })
    assert.ok(first instanceof UsageError, code)
    assert.doesNotMatch(later.message + first.message, /10\.0/)
  }
})

test('a refusal stays one, whenever it comes', () => {
  assert.ok(hmaError('read the contents', fault('42501')) instanceof UsageError)
})
