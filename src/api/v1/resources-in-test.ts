// What the tests of cases, banks, holds, the ledger and explanations ask, and of what.
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { addContent, createBank } from '../../banks/bank-store.ts'
import { digestOfText, see } from '../../commands/seed-in-test.ts'
import { principalId } from '../../steps/withdraw.ts'
import type { TestDatabase } from '../../testing/database.ts'
import { apiInTest } from '../api-in-test.ts'
import type { ApiInTest } from '../api-in-test.ts'
import { checkAnswer } from '../openapi-check.ts'

/** A bank KNOWN (restricted) that holds, one that is open; two matches of KNOWN in three posts. */
export async function seed(database: TestDatabase): Promise<void> {
  const { app } = database
  const nowMs = Date.now() - 60_000
  const principal = await principalId(app, { kind: 'person', name: 'tester', nowMs })
  await createBank(app, { name: 'KNOWN', mode: 'hold', class: 'restricted', principal, nowMs })
  await createBank(app, { name: 'SPAM', mode: 'observe', class: 'open', principal, nowMs })
  for (const text of ['bad', 'worse']) {
    const signals = [{ type: 'sha256' as const, value: digestOfText(text) }]
    await addContent(app, { bank: 'KNOWN', signals, principal, nowMs })
  }
  await see(database, { text: 'bad', rkey: 'a', mode: 'act' })
  await see(database, { text: 'worse', rkey: 'b', mode: 'act' })
}

export const seeded = (t: TestContext) => apiInTest(t, {}, seed)

// oxlint-disable-next-line no-explicit-any
export type Body = Record<string, any>
export type Asked = {
  key: string
  method?: 'post' | 'patch' | 'delete'
  body?: unknown
  headers?: Record<string, string>
}

/** `declared`: the path as the document has it. The answer has the status and is as declared. */
export async function ask(
  api: ApiInTest,
  declared: string,
  path: string,
  status: number,
  { key, method, body, headers }: Asked,
): Promise<Body> {
  const answer = await api.ask(`/api/v1${path}`, {
    key,
    method: (method ?? 'get').toUpperCase(),
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await answer.clone().text()
  assert.equal(answer.status, status, `${path}: ${text}`)
  assert.doesNotMatch(text, /"value":/, 'no signal comes out')
  return (await checkAnswer(api, declared, method ?? 'get', answer)) as Body
}
