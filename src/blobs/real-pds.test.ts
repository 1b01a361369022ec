// Resolver, fetcher and record proof against a real PLC directory and a real PDS.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { AtpAgent, AtUri } from '@atproto/api'
import { TestNetworkNoAppView } from '@atproto/dev-env'
import { loopbackOnly } from '../testing/loopback-only.ts'
import type { HostResolver } from '../domain/ports.ts'
import { createBlobFetcher } from './fetch-blob.ts'
import { createHostClient } from './host-client.ts'
import type { HostClient } from './host-client.ts'
import { parseHostPair } from './host-pair.ts'
import { createHostResolver } from './host-resolver.ts'
import { unhurried as signal } from './loopback-host.ts'
import { verifyRecordCarries } from './record-proof.ts'

const collection = 'app.bsky.feed.post'
const photo = randomBytes(5000)

describe('a real PDS', { timeout: 60_000 }, () => {
  let network: TestNetworkNoAppView
  let resolver: HostResolver
  let client: HostClient
  let did: string
  let blobCid: string
  let rkey: string
  let recordCid: string

  before(async () => {
    using _loopback = loopbackOnly()
    network = await TestNetworkNoAppView.create({})
    const agent = new AtpAgent({ service: network.pds.url })
    await agent.createAccount({ handle: 'alice.test', email: 'a@test.com', password: 'hunter2' })
    did = agent.assertDid
    const { blob } = (await agent.uploadBlob(photo, { encoding: 'image/png' })).data
    blobCid = blob.ref.toString()
    const images = [{ image: blob, alt: '' }]
    const post = await agent.post({ text: '', embed: { $type: 'app.bsky.embed.images', images } })
    rkey = new AtUri(post.uri).rkey
    recordCid = post.cid
    resolver = createHostResolver({ plcUrl: network.plc.url, clock: Date.now })
    const pair = parseHostPair({ url: network.pds.url, address: network.pds.url })
    client = createHostClient({ clock: Date.now, pair })
  })
  after(() => network?.close())

  const prove = (over: object = {}) =>
    verifyRecordCarries({
      did,
      collection,
      rkey,
      blobCid,
      resolver,
      client,
      carries: (record, cid) => JSON.stringify(record).includes(cid),
      signal,
      ...over,
    })

  test('is found, and gives the bytes that were uploaded', async () => {
    assert.deepEqual(await resolver.pdsOf(did, { signal }), { kind: 'found', pds: network.pds.url })
    assert.match((await resolver.signingKeyOf(did, { signal })) ?? '', /^did:key:z/)
    const fetcher = createBlobFetcher({ resolver, client, clock: Date.now })
    const outcome = await fetcher.fetch({ did, blobCid, signal })
    assert.ok('bytes' in outcome && photo.equals(outcome.bytes))
    assert.equal(outcome.host, network.pds.url)
  })

  test('without the pair is refused, because it is on loopback', async () => {
    const fetcher = createBlobFetcher({ resolver, clock: Date.now })
    const outcome = await fetcher.fetch({ did, blobCid, signal })
    assert.equal('reason' in outcome && outcome.reason, 'forbidden-address')
  })

  test('proves that the record carries the blob, and what it does not', async () => {
    assert.deepEqual(await prove(), { kind: 'proved', recordCid })
    assert.deepEqual(await prove({ blobCid: 'bafkreiother' }), { kind: 'not-carried' })
    assert.deepEqual(await prove({ rkey: '3zzzzzzzzzzzz' }), { kind: 'not-there' })
    assert.deepEqual(await prove({ did: `did:plc:${'a'.repeat(24)}` }), {
      kind: 'unavailable',
      reason: 'identity-failed',
    })
  })

  test('a blob that was taken down is not found, though the record is there', async () => {
    const $type = 'com.atproto.admin.defs#repoBlobRef'
    await new AtpAgent({ service: network.pds.url }).com.atproto.admin.updateSubjectStatus(
      { subject: { $type, did, cid: blobCid }, takedown: { applied: true, ref: 'test' } },
      { headers: network.pds.adminAuthHeaders(), encoding: 'application/json' },
    )
    const fetcher = createBlobFetcher({ resolver, client, clock: Date.now })
    const outcome = await fetcher.fetch({ did, blobCid, signal })
    assert.equal('reason' in outcome && outcome.reason, 'not-found')
    assert.equal((await prove()).kind, 'proved')
  })

  test('an account that was taken down is inactive', async () => {
    const $type = 'com.atproto.admin.defs#repoRef'
    await new AtpAgent({ service: network.pds.url }).com.atproto.admin.updateSubjectStatus(
      { subject: { $type, did }, takedown: { applied: true, ref: 'test' } },
      { headers: network.pds.adminAuthHeaders(), encoding: 'application/json' },
    )
    const fetcher = createBlobFetcher({ resolver, client, clock: Date.now })
    const outcome = await fetcher.fetch({ did, blobCid, signal })
    assert.equal('reason' in outcome && outcome.reason, 'account-inactive')
    assert.deepEqual(await prove(), { kind: 'unavailable', reason: 'account-inactive' })
  })
})
