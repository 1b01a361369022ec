import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBytes } from './read-bytes.ts'

const limits = { bytesMax: 100, ms: 30 }

function requestOf(body: ReadableStream | Uint8Array | string, headers = {}): Request {
  const init = { method: 'POST', body, duplex: 'half', headers }
  return new Request('http://localhost/', init as RequestInit)
}

test('reads up to the limit and not a byte more, whatever was declared', async () => {
  const read = await readBytes(requestOf('x'.repeat(100)), limits)
  assert.ok(read.kind === 'read' && read.bytes.length === 100)
  assert.deepEqual(await readBytes(requestOf('x'.repeat(101)), limits), { kind: 'too-large' })
  const none = new Request('http://localhost/', { method: 'POST' })
  const empty = await readBytes(none, limits)
  assert.ok(empty.kind === 'read' && empty.bytes.length === 0)
})

test('stops an endless body at the limit, and lets go of its sender', async () => {
  let pulled = 0
  let isLeft = false
  const endless = new ReadableStream({
    pull(controller) {
      pulled += 1
      controller.enqueue(new Uint8Array(10))
    },
    cancel() {
      isLeft = true
    },
  })
  assert.deepEqual(await readBytes(requestOf(endless), limits), { kind: 'too-large' })
  assert.ok(pulled < 20 && isLeft)
})

test('gives up on a body that does not arrive, and on a sender that goes away', async () => {
  const silent = requestOf(new ReadableStream())
  assert.deepEqual(await readBytes(silent, limits), { kind: 'incomplete' })
  const broken = new ReadableStream({ start: (controller) => controller.error(new Error('gone')) })
  assert.deepEqual(await readBytes(requestOf(broken), limits), { kind: 'incomplete' })
})
