import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import { HmaRefusal } from './answers.ts'
import { bodyLimits, createBodyReader, parseForm } from './body.ts'

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

test('a form of very many parts is refused before any of them becomes an object', async (t) => {
  const parsed = t.mock.method(Response.prototype, 'formData')
  const app = new Hono()
  app.onError((error, context) =>
    error instanceof HmaRefusal ? context.json(error.body, 400) : context.text('fault', 500),
  )
  app.post('/', async (context) => {
    const form = await parseForm(context, Buffer.from(await context.req.arrayBuffer()))
    return context.json({ files: form.files.length, texts: form.texts.size })
  })
  const send = async (parts: number, boundary: string, stands = boundary) => {
    const part = (n: number) =>
      `--${stands}\r\nContent-Disposition: form-data; name="f${n}"\r\n\r\n\r\n`
    const body = `${Array.from({ length: parts }, (_, n) => part(n)).join('')}--${stands}--\r\n`
    const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
    return (await app.request('/', { method: 'POST', body, headers })).json()
  }
  const { formFieldsMax } = bodyLimits
  const tooMany = { message: 'Too many form fields' }
  assert.deepEqual(await send(formFieldsMax, 'x'), { files: 0, texts: formFieldsMax })
  assert.deepEqual(await send(formFieldsMax, '"a b"', 'a b'), { files: 0, texts: formFieldsMax })
  assert.equal(parsed.mock.callCount(), 2)
  assert.deepEqual(await send(formFieldsMax + 1, 'x'), tooMany)
  assert.deepEqual(await send(100_000, '"a b"', 'a b'), tooMany)
  assert.deepEqual(await send(100_000, '"a\\\\b"', 'a\\b'), {
    message: 'Missing multipart/form-data file upload',
  })
  assert.equal(parsed.mock.callCount(), 2)
})
