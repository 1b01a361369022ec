// Which key opens what: every route of both APIs, with a key of every single scope and with one that has none of use.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keyScopes } from '../cases/api-keys.ts'
import type { KeyScope } from '../cases/api-keys.ts'
import { apiInTest } from './api-in-test.ts'
import type { ApiInTest } from './api-in-test.ts'
import { documentOf } from './openapi-check.ts'
import { routeScopes } from './v1/route-scopes.ts'

/** One of an inner list, and all of the lists. []: any good key. 'nobody': without a key. */
type Needed = readonly (readonly KeyScope[])[] | 'nobody'

const reads: Needed = [['bank:read']]
const writes: Needed = [['bank:write']]
const hma: Record<string, Needed> = {
  'get /': 'nobody',
  'get /status': 'nobody',
  'get /status/live': 'nobody',
  'get /site-map': 'nobody',
  'get /openapi/openapi.json': 'nobody',
  'get /h/hash': [['scan']],
  'post /h/hash': [['scan']],
  'get /m/raw_lookup': [['match:read']],
  'get /m/lookup': [['match:read'], ['match:distance'], ['bank:read']],
  'post /m/lookup': [['match:read'], ['match:distance'], ['bank:read']],
  'get /m/index/status': [['match:read']],
  'post /m/compare': [['match:read']],
  'get /c/banks': reads,
  'post /c/banks': writes,
  'get /c/bank/{bank_name}': reads,
  'put /c/bank/{bank_name}': writes,
  'delete /c/bank/{bank_name}': writes,
  'get /c/bank/{bank_name}/content/{content_id}': reads,
  'put /c/bank/{bank_name}/content/{content_id}': writes,
  'delete /c/bank/{bank_name}/content/{content_id}': writes,
  'post /c/bank/{bank_name}/content': writes,
  'post /c/bank/{bank_name}/signal': writes,
  'get /c/exchanges': reads,
  'post /c/exchanges': writes,
  'get /c/exchange/{exchange_name}': reads,
  'put /c/exchange/{exchange_name}': writes,
  'delete /c/exchange/{exchange_name}': writes,
  'get /c/exchange/{exchange_name}/status': reads,
  'get /c/exchanges/apis': reads,
  'get /c/exchanges/api/{api_name}': reads,
  'post /c/exchanges/api/{api_name}': writes,
  'get /c/exchanges/api/{api_name}/schema': reads,
  'get /c/signal_type': reads,
  'put /c/signal_type/{signal_type_name}': writes,
  'get /c/signal_type/index': reads,
  'get /c/content_type': reads,
}

const anything: Record<string, string> = {
  did: 'did:plc:ewvi7nxzyoun6zhxrhs64oiz',
  cid: 'bafkreibme22gw2h7y2h7tg2fhqotaqjucnbc24deqo72b6mkl2egezxhvy',
  name: 'NOBODYS',
  bank_name: 'NOBODYS',
  exchange_name: 'NOBODYS',
}

const manyRequests = { BLOBWATCH_API_REQUESTS_PER_SECOND: '100000' }

test('every route of /api/v1 opens to its scopes only', async (t) => {
  const api = await apiInTest(t, manyRequests)
  const { paths } = await documentOf(api)
  await checkAll(api, { table: routeScopes, paths, prefix: '/api/v1' })
})

test("every route of HMA's interface opens to its scopes only", async (t) => {
  const api = await apiInTest(t, manyRequests)
  const document = await (await fetch(`${api.url}/openapi/openapi.json`)).json()
  await checkAll(api, { table: hma, paths: (document as { paths: Paths }).paths, prefix: '' })
})

type Paths = Record<string, Record<string, unknown>>

async function checkAll(
  api: ApiInTest,
  { table, paths, prefix }: { table: Record<string, Needed>; paths: Paths; prefix: string },
): Promise<void> {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  )
  assert.deepEqual(operations.toSorted(), Object.keys(table).toSorted())
  const keys = new Map<string, string>()
  const keyWith = async (scopes: KeyScope[]): Promise<string> => {
    const known = keys.get(scopes.join())
    // A person's, so that the scope is all that is missing.
    const key = known ?? (await api.key(scopes, { isPerson: true }))
    keys.set(scopes.join(), key)
    return key
  }
  const single = keyScopes.filter((scope) => scope !== 'admin')
  for (const [operation, needed] of Object.entries(table)) {
    const send = (key: string | undefined) => statusOf(api, { operation, prefix, key })
    const withoutKey = await send(undefined)
    if (needed === 'nobody') {
      assert.ok(withoutKey < 400 || withoutKey === 404, `${operation} without a key: ${withoutKey}`)
      continue
    }
    assert.equal(withoutKey, 401, `${operation} without a key`)
    const opens = (scopes: KeyScope[]) =>
      needed.every((some) => some.some((scope) => scopes.includes(scope)))
    const others = single.filter((scope) => !needed.flat().includes(scope))
    const sets = [...single.map((scope) => [scope]), needed.map(([scope]) => scope as KeyScope)]
    sets.push(...needed.map((some) => single.filter((scope) => !some.includes(scope))), others)
    for (const scopes of sets.filter((set) => set.length > 0)) {
      const isRefused = (await send(await keyWith(scopes))) === 403
      assert.equal(isRefused, !opens(scopes), `${operation} with ${scopes.join()}`)
    }
  }
}

/** Nothing of what is sent is of use: who may come in hears so, who may not hears 403. */
async function statusOf(
  { url }: ApiInTest,
  options: { operation: string; prefix: string; key: string | undefined },
): Promise<number> {
  const [method = '', path = ''] = options.operation.split(' ')
  const filled = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => anything[name] ?? '1')
  const answer = await fetch(`${url}${options.prefix}${filled}`, {
    method: method.toUpperCase(),
    redirect: 'manual',
    headers: {
      'content-type': 'application/json',
      'idempotency-key': 'scopes-of-routes',
      ...(options.key !== undefined && { authorization: `Bearer ${options.key}` }),
    },
    ...(method !== 'get' && { body: '{}' }),
  })
  await answer.arrayBuffer()
  return answer.status
}
