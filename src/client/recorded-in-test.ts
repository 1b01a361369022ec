// A server that plays recorded answers to the requests that were recorded with them, in their order. Anything else that it
// is asked fails the test, and so does a recorded request that never came.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'

export type Recorded = {
  /** `POST /api/v1/match?x=1` */
  request: string
  /** What the body has to be, parsed when it is JSON. */
  body?: unknown
  /** The parts of a form: field to what its file or text holds. */
  form?: Record<string, string>
  /** Header to value. */
  headers?: Record<string, string>
  status?: number
  answer?: unknown
  answerHeaders?: Record<string, string>
  /** Instead of an answer: writes what it wants. */
  play?: (response: ServerResponse) => void
}

export async function recordedServer(
  t: Pick<TestContext, 'after'>,
  exchanges: Recorded[],
): Promise<{ baseUrl: string; finish: () => void }> {
  const waiting = [...exchanges]
  const problems: unknown[] = []
  const server = createServer((request, response) => {
    const expected = waiting.shift()
    check(request, expected).then(
      () => answer(response, expected!, request.headers.accept),
      (problem: unknown) => {
        problems.push(problem)
        // No client tries this again.
        response.writeHead(418).end()
      },
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return {
    baseUrl: `http://127.0.0.1:${port}`,
    /** Call at the end of the test. */
    finish() {
      for (const problem of problems) throw problem
      assert.deepEqual(
        waiting.map(({ request }) => request),
        [],
        'was never asked',
      )
    },
  }
}

async function check(request: IncomingMessage, expected: Recorded | undefined): Promise<void> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  const bytes = Buffer.concat(chunks)
  assert.equal(`${request.method} ${request.url}`, expected?.request)
  for (const [name, value] of Object.entries(expected?.headers ?? {}))
    assert.equal(request.headers[name], value, name)
  const type = request.headers['content-type'] ?? ''
  if (expected?.form !== undefined) {
    assert.match(type, /^multipart\/form-data; boundary=/)
    assert.deepEqual(await formIn(type, bytes), expected.form)
  } else if (expected?.body !== undefined) {
    const text = bytes.toString()
    assert.deepEqual(type === 'application/json' ? JSON.parse(text) : text, expected.body)
  } else {
    assert.equal(bytes.length, 0, 'a body that nobody expected')
  }
}

async function formIn(type: string, bytes: Buffer): Promise<Record<string, string>> {
  const form = await new Response(Uint8Array.from(bytes), {
    headers: { 'content-type': type },
  }).formData()
  const parts: Record<string, string> = {}
  for (const [name, value] of form.entries())
    parts[name] = typeof value === 'string' ? value : await value.text()
  return parts
}

function answer(response: ServerResponse, recorded: Recorded, accept = '*/*'): void {
  const { status = 200, answer: body, answerHeaders, play } = recorded
  response.setHeader('content-type', accept)
  if (play !== undefined) {
    play(response)
    return
  }
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  response.writeHead(status, answerHeaders).end(text)
}
