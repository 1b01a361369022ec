import assert from 'node:assert/strict'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { createHostResolver } from './host-resolver.ts'
import type { HostResolverOptions } from './host-resolver.ts'
import { didDocument, publicHosts, startHost, unhurried as signal } from './loopback-host.ts'
import type { LoopbackHost } from './loopback-host.ts'

const did = `did:plc:${'c'.repeat(24)}`
const key = 'zQ3shXjHeiBuRCKmM36cuYnm7YEMzhGnCmCyW92sRJ9pribSF'
const signs = {
  verificationMethod: [
    { id: `${did}#atproto`, type: 'Multikey', controller: did, publicKeyMultibase: key },
  ],
}
const found = { kind: 'found', pds: 'https://pds.watch.net' }

describe('resolving a DID', { timeout: 20_000 }, () => {
  test('gives the origin of the PDS and the signing key, from one request', async () => {
    await using plc = await startHost((_request, response) => {
      response.end(didDocument(did, 'https://PDS.watch.net/path', signs))
    })
    const resolver = resolverFor(plc)
    assert.deepEqual(await resolver.pdsOf(did, { signal }), found)
    assert.equal(await resolver.signingKeyOf(did, { signal }), `did:key:${key}`)
    assert.equal(plc.requests.length, 1)
    assert.equal(plc.requests[0]?.url, `/${encodeURIComponent(did)}`)
    assert.equal(plc.requests[0]?.headers.authorization, undefined)
  })

  test('asks once for lookups at the same time, and again when a fresh answer is wanted', async () => {
    let served = 0
    await using plc = await startHost((_request, response) => {
      served += 1
      const name = served
      void delay(50).then(() => response.end(didDocument(did, `https://pds${name}.watch.net`)))
    })
    const resolver = resolverFor(plc)
    const many = await Promise.all(
      Array.from({ length: 20 }, () => resolver.pdsOf(did, { signal })),
    )
    assert.equal(served, 1)
    for (const lookup of many)
      assert.deepEqual(lookup, { kind: 'found', pds: 'https://pds1.watch.net' })
    const second = { kind: 'found', pds: 'https://pds2.watch.net' }
    assert.deepEqual(await resolver.pdsOf(did, { signal, fresh: true }), second)
    assert.deepEqual(await resolver.pdsOf(did, { signal }), second)
    assert.equal(served, 2)
  })

  test('asks again after the time to live and after forget', async () => {
    let nowMs = 1_800_000_000_000
    await using plc = await startHost(
      (_request, response) => void response.end(didDocument(did, found.pds)),
    )
    const resolver = resolverFor(plc, { clock: () => nowMs })
    await resolver.pdsOf(did, { signal })
    nowMs += 10 * 60_000 - 1
    await resolver.pdsOf(did, { signal })
    assert.equal(plc.requests.length, 1)
    nowMs += 1
    await resolver.pdsOf(did, { signal })
    assert.equal(plc.requests.length, 2)
    resolver.forget(did)
    await resolver.pdsOf(did, { signal })
    assert.equal(plc.requests.length, 3)
    // The clock was set back: how old the answer is, nobody knows.
    nowMs -= 7_200_000
    await resolver.pdsOf(did, { signal })
    assert.equal(plc.requests.length, 4)
  })

  test('does not keep an answer that was on its way when the DID was forgotten', async () => {
    let endpoint = 'https://old.watch.net'
    await using plc = await startHost((_request, response) => {
      const document = didDocument(did, endpoint)
      void delay(50).then(() => response.end(document))
    })
    const resolver = resolverFor(plc)
    const early = resolver.pdsOf(did, { signal })
    await delay(20)
    endpoint = found.pds
    resolver.forget(did)
    await early
    assert.deepEqual(await resolver.pdsOf(did, { signal }), found)
  })

  test('keeps a bounded number of documents', async () => {
    await using plc = await startHost((request, response) => {
      response.end(didDocument(decodeURIComponent(request.url?.slice(1) ?? ''), found.pds))
    })
    const resolver = resolverFor(plc, { limits: { entriesMax: 3 } })
    const dids = ['2', '3', '4', '5'].map((digit) => `did:plc:${digit.repeat(24)}`)
    for (const each of [...dids, ...dids]) {
      assert.deepEqual(await resolver.pdsOf(each, { signal }), found)
    }
    assert.equal(plc.requests.length, 8)
  })

  const failures: [string, number, string, object][] = [
    ['a DID that does not exist', 404, '{"message":"DID not registered"}', identityFailed()],
    ['a tombstoned DID', 410, '{"message":"DID not available"}', identityFailed()],
    ['a DID that the directory calls malformed', 400, '{}', identityFailed()],
    ['a directory that is down', 503, '', { kind: 'deferred', reason: 'server-error' }],
    ['a directory that is busy', 429, '', { kind: 'deferred', reason: 'rate-limited' }],
    ['a directory that sends elsewhere', 302, '', identityFailed()],
    ['a page instead of a document', 200, '<html>', { kind: 'deferred', reason: 'bad-answer' }],
    [
      'a document of somebody else',
      200,
      didDocument(`did:plc:${'d'.repeat(24)}`, found.pds),
      { kind: 'deferred', reason: 'bad-answer' },
    ],
    ['a document over 64 KiB', 200, 'x'.repeat(70_000), identityFailed()],
    [
      'a document without a PDS',
      200,
      didDocument(did, undefined),
      { kind: 'unavailable', reason: 'no-pds' },
    ],
    [
      'an endpoint that is no http(s) address',
      200,
      didDocument(did, 'ftp://pds.watch.net'),
      { kind: 'unavailable', reason: 'no-pds' },
    ],
  ]
  for (const [what, status, body, expected] of failures) {
    test(`${what} is ${JSON.stringify(expected)}, remembered for a moment`, async () => {
      let nowMs = 1_800_000_000_000
      await using plc = await startHost((_request, response) => {
        response.writeHead(status, { location: 'https://elsewhere.net/' }).end(body)
      })
      const resolver = resolverFor(plc, { clock: () => nowMs })
      assert.deepEqual(await resolver.pdsOf(did, { signal }), expected)
      assert.equal(await resolver.signingKeyOf(did, { signal }), undefined)
      assert.equal(plc.requests.length, 1)
      nowMs += 11 * 60_000
      plc.answer((_request, response) => void response.end(didDocument(did, found.pds)))
      assert.deepEqual(await resolver.pdsOf(did, { signal }), found)
    })
  }

  test('is deferred when the directory hangs or cannot be reached', async () => {
    const plc = await startHost(() => undefined)
    const resolver = resolverFor(plc, { limits: { lookupTimeMs: 100, deferredTtlMs: 0 } })
    const timedOut = { kind: 'deferred', reason: 'timeout' }
    assert.deepEqual(await resolver.pdsOf(did, { signal }), timedOut)
    assert.deepEqual(await resolver.pdsOf(did, { signal: AbortSignal.timeout(10) }), timedOut)
    await plc[Symbol.asyncDispose]()
    const unreachable = await resolverFor(plc).pdsOf(did, { signal })
    assert.deepEqual(unreachable, { kind: 'deferred', reason: 'network' })
  })

  test('refuses what is no DID without asking anybody', async () => {
    await using plc = await startHost()
    const resolver = resolverFor(plc)
    for (const each of [
      '',
      'did:',
      'did:plc:',
      'did:plc:../../x',
      'did:key:z6Mk',
      'did:plc:A',
      'x',
    ]) {
      assert.deepEqual(await resolver.pdsOf(each, { signal }), identityFailed(), each)
    }
    assert.equal(plc.connections(), 0)
  })
})

describe('resolving a did:web', { timeout: 20_000 }, () => {
  const webDid = 'did:web:alice.watch.net'
  const origin = 'https://alice.watch.net'

  test('asks the host itself and follows no redirect', async () => {
    await using plc = await startHost()
    await using web = await startHost(
      (_request, response) => void response.end(didDocument(webDid, found.pds)),
    )
    const guardedFetch = publicHosts({ [origin]: web.origin })
    assert.deepEqual(await resolverFor(plc, { guardedFetch }).pdsOf(webDid, { signal }), found)
    assert.equal(web.requests[0]?.url, '/.well-known/did.json')
    web.answer((_request, response) => void response.writeHead(302, { location: '/x' }).end())
    const redirected = await resolverFor(plc, { guardedFetch }).pdsOf(webDid, { signal })
    assert.deepEqual(redirected, identityFailed())
    assert.equal(web.requests.length, 2)
    assert.equal(plc.connections(), 0)
  })

  const answers: [number, string, object][] = [
    [404, '', identityFailed()],
    [200, '<html>', identityFailed()],
    [200, 'x'.repeat(70_000), identityFailed()],
    [200, didDocument('did:web:bob.watch.net', found.pds), identityFailed()],
    [500, '', { kind: 'deferred', reason: 'server-error' }],
    [429, '', { kind: 'deferred', reason: 'rate-limited' }],
  ]
  for (const [status, body, expected] of answers) {
    test(`${status} ${body.slice(0, 20)} is ${JSON.stringify(expected)}`, async () => {
      await using plc = await startHost()
      await using web = await startHost((_request, response) => {
        response.writeHead(status).end(body)
      })
      const guardedFetch = publicHosts({ [origin]: web.origin })
      const lookup = await resolverFor(plc, { guardedFetch }).pdsOf(webDid, { signal })
      assert.deepEqual(lookup, expected)
    })
  }
})

function identityFailed() {
  return { kind: 'unavailable', reason: 'identity-failed' }
}

function resolverFor(plc: LoopbackHost, options: Partial<HostResolverOptions> = {}) {
  return createHostResolver({ plcUrl: plc.origin, clock: Date.now, ...options })
}
