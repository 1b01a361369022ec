import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { AtpAgent } from '@atproto/api'
import { TestNetworkNoAppView } from '@atproto/dev-env'
import { loopbackOnly } from '../testing/loopback-only.ts'
import { createFirehose } from './firehose.ts'
import { memoryIntake } from './memory-intake.ts'

const png = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
)

describe('a real PDS', () => {
  it('is followed from an account’s first event to its deletion', { timeout: 30_000 }, async () => {
    using _loopback = loopbackOnly()
    await using network = await TestNetworkNoAppView.create({})
    const intake = memoryIntake()
    const stop = new AbortController()
    const syncs: string[] = []
    const run = createFirehose({
      url: network.pds.url,
      host: network.pds.url,
      takeIn: intake.takeIn,
      loadCursor: () => intake.loadCursor(),
      ignoredDids: new Set(),
      clock: Date.now,
      log: { info: () => undefined, warn: () => undefined },
      onSync: async ({ did }) => void syncs.push(did),
    }).run(stop.signal)
    try {
      const agent = new AtpAgent({ service: network.pds.url })
      const password = 'hunter2-hunter2'
      await agent.createAccount({ handle: 'alice.test', email: 'alice@test.com', password })
      const did = agent.assertDid
      const seen = (rkey: string) => intake.all('sightings').filter((s) => s.rkey === rkey)

      const upload = async (n: number) => {
        const bytes = Buffer.concat([png, Buffer.of(n)])
        return (await agent.uploadBlob(bytes, { encoding: 'image/png' })).data.blob
      }
      const [image, avatar, extra] = [await upload(1), await upload(2), await upload(3)]
      const embed = { $type: 'app.bsky.embed.images', images: [{ image, alt: '' }] }
      const post = await agent.post({ text: 'hello', embed })
      await agent.upsertProfile(() => ({ avatar }))
      await agent.com.atproto.repo.createRecord({
        repo: did,
        collection: 'com.example.gallery',
        rkey: 'odd',
        validate: false,
        record: {
          $type: 'com.example.gallery',
          picture: { ...JSON.parse(JSON.stringify(extra)), alt: 'an extra key' },
        },
      })
      await agent.deletePost(post.uri)
      await intake.until(() => intake.all('recordDeletes').length === 1)

      const rkey = post.uri.split('/').at(-1) ?? ''
      assert.deepEqual(
        [rkey, 'self', 'odd'].map((key) => seen(key).map((s) => [s.did, s.blobCid])),
        [image, avatar, extra].map((blob) => [[did, blob.ref.toString()]]),
      )
      const [sighting] = seen(rkey)
      assert.deepEqual(
        [sighting?.collection, sighting?.recordCid, sighting?.source],
        ['app.bsky.feed.post', post.cid, 'firehose'],
      )
      const [deleted] = intake.all('recordDeletes')
      assert.deepEqual([deleted?.did, deleted?.rkey], [did, rkey])
      assert.ok((deleted?.rev ?? '') > (sighting?.rev ?? 'z'))
      assert.ok(intake.all('identities').includes(did))
      assert.deepEqual(intake.all('accounts'), [{ did, status: 'active' }])
      assert.deepEqual(syncs, [did])

      const admin = network.pds.adminAuthHeaders()
      await agent.com.atproto.admin.deleteAccount(
        { did },
        { headers: admin, encoding: 'application/json' },
      )
      await intake.until(() => intake.all('accounts').length > 1)
      assert.deepEqual(intake.all('accounts').at(-1), { did, status: 'deleted' })

      assert.deepEqual(intake.all('undecodable'), [])
      assert.deepEqual(
        intake.all('gaps').map((gap) => gap.reason),
        ['first-start'],
      )
      // Each batch began where the one before ended, else the intake would have fenced it.
      assert.deepEqual(
        intake.batches.map((batch) => batch.cursor?.from),
        [null, ...intake.batches.slice(0, -1).map((batch) => batch.cursor?.to)],
      )
    } finally {
      stop.abort()
      assert.equal(await run, 'stopped')
    }
  })
})
