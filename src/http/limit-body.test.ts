import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Hono } from 'hono'
import { limitBody } from './limit-body.ts'
import { listen } from './listener.ts'

async function start() {
  const app = new Hono()
  app.use(limitBody({ maxSize: 100, onError: (context) => context.text('announced', 413) }))
  app.all('/', async (context) => context.text(String((await context.req.raw.text()).length)))
  return listen({ host: '127.0.0.1', port: 0, setting: 'A_PORT', hono: app })
}

const ask = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, init)
  return `${answer.status} ${await answer.text()}`
}

function inPieces(bytes: number): RequestInit {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes; at += 10) controller.enqueue(Buffer.alloc(10, 'x'))
      controller.close()
    },
  })
  return { method: 'POST', body, duplex: 'half' }
}

test('lets a body up to the limit pass, with a length and without one', async () => {
  await using listener = await start()
  assert.equal(await ask(listener.url, { method: 'POST', body: 'x'.repeat(100) }), '200 100')
  assert.equal(await ask(listener.url, inPieces(100)), '200 100')
  assert.equal(await ask(listener.url, { method: 'DELETE' }), '200 0')
  assert.equal(await ask(listener.url), '200 0')
})

test('refuses a longer one, announced or not', async () => {
  await using listener = await start()
  assert.equal(await ask(listener.url, { method: 'POST', body: 'x'.repeat(101) }), '413 announced')
  assert.match(await ask(listener.url, inPieces(110)), /^413/)
})
