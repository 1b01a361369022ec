import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import { HmaRefusal } from './answers.ts'
import { createBodyReader } from './body.ts'

const isBusy = (error: unknown) =>
  error instanceof HmaRefusal && error.status === 503 && Number(error.headers['retry-after']) > 0

test('holds only so many bytes of bodies at once', async () => {
  const bodies = createBodyReader(100)
  const entered = Promise.withResolvers<void>()
  const leave = Promise.withResolvers<void>()
  const app = new Hono()
  app.onError((error, context) =>
    context.text(
      isBusy(error) ? 'busy' : error instanceof HmaRefusal ? String(error.status) : 'fault',
    ),
  )
  app.post('/', (context) =>
    bodies.read(context, 80, async (bytes) => {
      entered.resolve()
      await leave.promise
      return context.text(String(bytes.length))
    }),
  )
  const send = async (length: number) => {
    const headers = { 'content-length': String(length) }
    const answer = await app.request('/', { method: 'POST', body: 'x'.repeat(length), headers })
    return answer.text()
  }
  // Announced and not sent: nothing is held.
  const nothing = new ReadableStream<Uint8Array>()
  const announced = { method: 'POST', body: nothing, duplex: 'half' as const }
  void app.request('/', { ...announced, headers: { 'content-length': '80' } })
  const first = send(60)
  await entered.promise
  assert.equal(await send(50), 'busy')
  assert.equal(await send(81), '413')
  leave.resolve()
  assert.equal(await first, '60')
  assert.equal(await send(50), '50')
})
