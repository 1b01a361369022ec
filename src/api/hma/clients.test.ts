import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { form, sharedWorld } from './hma-in-test.ts'
import recorded from './recorded-clients.json' with { type: 'json' }

/** A request as a client of HMA sends it, and what that client needs of the answer. */
type Call = {
  call: string
  status: number
  json?: object
  /** A picture in a form field of that name. */
  upload?: string
  answer?: unknown
  text?: string
  /** Words that the client looks for. */
  says?: string
}

describe('the calls of clients that exist', { timeout: 120_000 }, () => {
  const world = sharedWorld()

  for (const [client, calls] of Object.entries(recorded as Record<string, Call[]>)) {
    test(`${client} gets what it needs from every call`, async () => {
      const photo = world.now.files['/photo.png']?.bytes ?? new Uint8Array()
      for (const { call, json, upload, ...expected } of calls) {
        const [method = '', path = ''] = call.split(' ')
        const body = upload === undefined ? json : form(upload, photo)
        const got = await world.now.hma(method, path, body)
        assert.equal(got.status, expected.status, `${call}: ${got.text}`)
        if ('answer' in expected) assert.deepEqual(got.json, expected.answer, call)
        if (expected.text !== undefined) assert.equal(got.text, expected.text)
        if (expected.says !== undefined) assert.ok(got.json.message.includes(expected.says), call)
      }
    })
  }

  test('the same calls are answered on the private listener with a key', async () => {
    const key = await world.now.key([
      'scan',
      'match:read',
      'match:distance',
      'bank:read',
      'bank:write',
    ])
    const ask = world.now.keyed(key)
    for (const { call, json, upload, status } of recorded.coop as Call[]) {
      const [method = '', path = ''] = call.split(' ')
      const photo = world.now.files['/photo.png']?.bytes ?? new Uint8Array()
      const got = await ask(method, path, upload === undefined ? json : form(upload, photo))
      assert.equal(got.status, status, `${call}: ${got.text}`)
    }
  })
})
