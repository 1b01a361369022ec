import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { HostLookup } from '../domain/ports.ts'
import { createBlobFetcher } from './fetch-blob.ts'
import { createHostClient } from './host-client.ts'
import { publicHosts, startHost, unhurried } from './loopback-host.ts'
import {
  deferred,
  did,
  fetcherFor,
  fetchFrom,
  nowMs,
  pairUrl,
  photo,
  photoCid,
  resolverOf,
  unavailable,
} from './pds-stand-in.ts'

describe('a host that refuses', { timeout: 30_000 }, () => {
  const answers: [number, unknown, string][] = [
    [400, { error: 'InvalidRequest', message: 'Blob not found' }, 'not-found'],
    [400, { error: 'BlobNotFound' }, 'not-found'],
    [404, 'Not Found', 'not-found'],
    [410, '', 'not-found'],
    [400, { error: 'RepoTakendown' }, 'account-inactive'],
    [400, { error: 'RepoSuspended' }, 'account-inactive'],
    [400, { error: 'RepoDeactivated' }, 'account-inactive'],
    [403, { error: 'AccountTakedown' }, 'account-inactive'],
    [400, { error: 'RepoNotFound' }, 'not-found'],
    [401, { error: 'AuthMissing' }, 'refused'],
    [403, '<html>go away</html>', 'refused'],
    [451, '', 'refused'],
    [400, { error: 'InvalidRequest', message: 'cid must be a cid' }, 'bad-answer'],
    [400, '{"error": {"a": 1}, "message": []}', 'bad-answer'],
    [400, 'null', 'bad-answer'],
    [418, 'x'.repeat(100_000), 'bad-answer'],
  ]
  for (const [status, body, reason] of answers) {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    test(`${status} ${text.slice(0, 60)} is ${reason}`, async () => {
      await using pds = await startHost(
        (_request, response) => void response.writeHead(status).end(text),
      )
      assert.deepEqual(await fetchFrom(pds), unavailable(reason))
    })
  }

  for (const status of [500, 502, 503, 504, 521]) {
    test(`${status} is deferred`, async () => {
      await using pds = await startHost(
        (_request, response) => void response.writeHead(status).end(),
      )
      assert.deepEqual(await fetchFrom(pds), deferred('server-error'))
    })
  }

  const waits: [Record<string, string>, number][] = [
    [{ 'retry-after': '30' }, 30_000],
    [{ 'retry-after': new Date(nowMs + 60_000).toUTCString() }, 60_000],
    [{ 'ratelimit-reset': String(nowMs / 1000 + 120) }, 120_000],
    [{ 'ratelimit-reset': '7' }, 7_000],
    [{ 'retry-after': '999999999' }, 15 * 60_000],
    [{ 'retry-after': '-5' }, 1000],
    [{ 'retry-after': 'soon' }, 1000],
    [{}, 1000],
  ]
  for (const [headers, waitMs] of waits) {
    test(`429 with ${JSON.stringify(headers)} is deferred by ${waitMs} ms, without dialling until then`, async () => {
      await using pds = await startHost(
        (_request, response) => void response.writeHead(429, headers).end(),
      )
      const fetcher = fetcherFor(pds)
      const request = { did, blobCid: photoCid, signal: unhurried }
      const expected = deferred('rate-limited', nowMs + waitMs)
      assert.deepEqual(await fetcher.fetch(request), expected)
      assert.deepEqual(await fetcher.fetch(request), expected)
      assert.equal(pds.requests.length, 1)
    })
  }
})

describe('a host that sends elsewhere', { timeout: 30_000 }, () => {
  const store = 'https://objects.store.net'

  test('is followed, and the blob is the account host’s', async () => {
    await using objects = await startHost((_request, response) => void response.end(photo))
    await using pds = await startHost(
      (_request, response) =>
        void response.writeHead(302, { location: `${store}/x?signature=1` }).end(),
    )
    const outcome = await fetchFrom(pds, {}, publicHosts({ [store]: objects.origin }))
    assert.equal(outcome.kind, 'bytes')
    assert.equal(outcome.host, pairUrl)
    assert.equal(objects.requests[0]?.url, '/x?signature=1')
    assert.equal(objects.requests[0]?.headers.connection, 'close', 'a stranger keeps no socket')
    assert.equal(pds.requests[0]?.headers.connection, 'keep-alive')
  })

  test('by its public address, never by the one behind the pair', async () => {
    await using front = await startHost((_request, response) => void response.end(photo))
    await using pds = await startHost(
      (_request, response) => void response.writeHead(302, { location: '/elsewhere' }).end(),
    )
    const outcome = await fetchFrom(pds, {}, publicHosts({ [pairUrl]: front.origin }))
    assert.equal(outcome.kind, 'bytes')
    assert.equal(pds.requests.length, 1)
    assert.equal(front.requests[0]?.url, '/elsewhere')
  })

  test('three times and no more', async () => {
    let hops = 0
    await using objects = await startHost((_request, response) => {
      hops += 1
      response.writeHead(302, { location: `/${hops}` }).end()
    })
    await using pds = await startHost(
      (_request, response) => void response.writeHead(302, { location: store }).end(),
    )
    const outcome = await fetchFrom(pds, {}, publicHosts({ [store]: objects.origin }))
    assert.deepEqual(outcome, unavailable('bad-answer'))
    assert.equal(hops, 3)
  })

  test('is refused when the way leads nowhere or brings credentials', async () => {
    const cases: [Record<string, string>, string][] = [
      [{}, 'bad-answer'],
      [{ location: 'https://' }, 'bad-answer'],
      [{ location: 'https://user:word@objects.store.net/' }, 'forbidden-address'],
    ]
    for (const [headers, reason] of cases) {
      await using pds = await startHost(
        (_request, response) => void response.writeHead(302, headers).end(),
      )
      assert.deepEqual(await fetchFrom(pds), unavailable(reason))
    }
  })
})

describe('an account', { timeout: 30_000 }, () => {
  test('that moved is found at its new host', async () => {
    await using oldHost = await startHost(
      (_request, response) => void response.writeHead(400).end('{"error":"RepoNotFound"}'),
    )
    await using newHost = await startHost((_request, response) => void response.end(photo))
    const oldUrl = 'https://old.watch.net'
    const newUrl = 'https://new.watch.net'
    const guardedFetch = publicHosts({ [oldUrl]: oldHost.origin, [newUrl]: newHost.origin })
    const fetcher = createBlobFetcher({
      clock: () => nowMs,
      client: createHostClient({ clock: () => nowMs, guardedFetch }),
      resolver: resolverOf((fresh) => ({ kind: 'found', pds: fresh ? newUrl : oldUrl })),
    })
    const outcome = await fetcher.fetch({ did, blobCid: photoCid, signal: unhurried })
    assert.equal(outcome.kind, 'bytes')
    assert.equal(outcome.host, newUrl)
  })

  test('without a host is settled or deferred as the resolver says', async () => {
    const lookups: HostLookup[] = [
      { kind: 'unavailable', reason: 'no-pds' },
      { kind: 'unavailable', reason: 'identity-failed' },
      { kind: 'deferred', reason: 'timeout' },
    ]
    for (const lookup of lookups) {
      const resolver = resolverOf(() => lookup)
      const fetcher = createBlobFetcher({ clock: () => nowMs, resolver })
      const outcome = await fetcher.fetch({ did, blobCid: photoCid, signal: unhurried })
      assert.equal(outcome.kind, lookup.kind)
      assert.equal('reason' in outcome && outcome.reason, 'reason' in lookup && lookup.reason)
    }
  })
})

describe('an announced address', { timeout: 30_000 }, () => {
  test('gives bytes with its origin as host', async () => {
    await using pds = await startHost((_request, response) => void response.end(photo))
    const url = `${pairUrl}/a//b?c=d#e`
    const outcome = await fetcherFor(pds).fetchUrl({ url, signal: unhurried })
    assert.equal(outcome.kind, 'bytes')
    assert.equal(outcome.host, pairUrl)
    assert.equal(pds.requests[0]?.url, '/a//b?c=d')
  })

  test('whose path looks like a host stays at the pair', async () => {
    await using other = await startHost()
    await using pds = await startHost((_request, response) => void response.end(photo))
    for (const path of [`//127.0.0.1:${other.port}/x`, `/\\127.0.0.1:${other.port}/x`]) {
      await fetcherFor(pds).fetchUrl({ url: `${pairUrl}${path}`, signal: unhurried })
    }
    assert.equal(pds.requests.length, 2)
    assert.equal(other.connections(), 0)
  })

  test('with credentials is not asked', async () => {
    await using pds = await startHost()
    const url = 'https://user:word@pds.watch.net/a'
    const outcome = await fetcherFor(pds).fetchUrl({ url, signal: unhurried })
    assert.deepEqual(outcome, unavailable('forbidden-address'))
    assert.equal(pds.connections(), 0)
  })
})
