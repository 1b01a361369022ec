// What an HMA 1.1.7 answered to these calls, in this order, beginning with no bank. Left out of its answers: pydantic's
// `input`, `ctx` and `url`. `@0@` is the number of the first content that was added; `index` builds the index.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HmaInTest } from './hma-in-test.ts'
import { form, hmaInTest } from './hma-in-test.ts'
import recorded from './recorded-hma.json' with { type: 'json' }

type Call = {
  call: string
  json?: unknown
  /** Its content type; JSON's where none is said. */
  type?: string
  /** The picture in a form field of that name, and texts beside it. */
  upload?: string
  form?: Record<string, string>
  status?: number
  answer?: unknown
  text?: string
  allow?: string[]
}

test('answers as HMA did, call by call', { timeout: 120_000 }, async (t) => {
  const world = await hmaInTest(t)
  const numbers: number[] = []
  const numbered = (text: string) =>
    text.replaceAll(/"?@(\d+)@"?/g, (_, at: string) => String(numbers[Number(at)]))
  for (const recording of recorded as Call[]) {
    if (recording.call === 'index') {
      await world.settled()
      continue
    }
    const got = await send(world, { ...recording, call: numbered(recording.call) })
    const told = `${recording.call} ${JSON.stringify(recording.json ?? recording.form ?? '')}: ${got.text}`
    if ((recording.answer as { id?: unknown } | undefined)?.id === `@${numbers.length}@`)
      numbers.push((got.answer as { id: number }).id)
    assert.equal(got.status, recording.status, told)
    if (recording.answer !== undefined)
      assert.deepEqual(got.answer, JSON.parse(numbered(JSON.stringify(recording.answer))), told)
    if (recording.text !== undefined) assert.equal(got.text, recording.text, told)
    if (recording.allow !== undefined) assert.deepEqual(got.allow, recording.allow, told)
  }
  assert.equal(numbers.length, 9)
})

async function send(world: HmaInTest, { call, json, type, upload, form: texts }: Call) {
  const [method = '', path = ''] = call.split(' ')
  const photo = world.files['/photo.png']?.bytes ?? new Uint8Array()
  const response = await fetch(`${world.hmaUrl}${path}`, {
    method,
    redirect: 'manual',
    ...(json !== undefined && {
      body: JSON.stringify(json),
      headers: { 'content-type': type ?? 'application/json' },
    }),
    ...(upload !== undefined && { body: form(upload, photo, texts) }),
  })
  const text = await response.text()
  return {
    status: response.status,
    text,
    answer: withoutInput(text),
    allow: response.headers.get('allow')?.split(', ').toSorted(),
  }
}

function withoutInput(text: string): unknown {
  try {
    return JSON.parse(text, (_key, value: unknown) => {
      const isPydantic = typeof value === 'object' && value !== null && 'msg' in value
      if (!isPydantic) return value
      const { input: _, url: __, ...rest } = value as Record<string, unknown>
      return rest
    })
  } catch {
    return undefined
  }
}
