import assert from 'node:assert/strict'
import { createServer, type AddressInfo } from 'node:net'
import { describe, it } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { encode } from '@atproto/lex-cbor'
import { startFakeRelay } from '../testing/fake-relay.ts'
import { blobRef, commitFrame, frameOf, rawCid, tidOf } from '../testing/relay-frames.ts'
import { frameBytesKept, frameBytesMax } from './frame-batch.ts'
import { memoryIntake } from './memory-intake.ts'
import { alice, labeler, follow, firehose, post } from './firehose-in-test.ts'

describe('the firehose', () => {
  it('hands in what a stream says, and the cursor with it', () =>
    follow(async ({ relay, intake }) => {
      const rev = tidOf(1)
      post(relay, 'a')
      const both = { images: [blobRef('one'), { ...blobRef('two'), extra: true }] }
      relay.commit({
        did: alice,
        rev,
        ops: [
          {
            action: 'create',
            path: 'com.example.thing/b',
            record: { $type: 'com.example.thing', both },
          },
          {
            action: 'update',
            path: 'app.bsky.actor.profile/self',
            record: { avatar: blobRef('me') },
          },
          { action: 'delete', path: 'app.bsky.feed.post/old' },
        ],
      })
      relay.account({ did: alice, active: false, status: 'deleted' })
      relay.account({ did: alice, active: false, status: 'something-new' })
      relay.identity({ did: alice })
      await intake.until(() => intake.stored.position === 5)

      assert.deepEqual(
        intake.all('sightings').map((s) => [s.did, s.blobCid, s.source, s.collection, s.rkey]),
        [
          [alice, rawCid('a').toString(), 'firehose', 'app.bsky.feed.post', 'a'],
          ...['two', 'one'].map((name) => [
            alice,
            rawCid(name).toString(),
            'firehose',
            'com.example.thing',
            'b',
          ]),
          [alice, rawCid('me').toString(), 'firehose', 'app.bsky.actor.profile', 'self'],
        ],
      )
      assert.ok(intake.all('sightings').every((s) => s.recordCid?.startsWith('bafyrei')))
      assert.deepEqual(intake.all('recordDeletes'), [
        { did: alice, collection: 'app.bsky.feed.post', rkey: 'old', rev },
      ])
      assert.deepEqual(
        intake.all('accounts').map((a) => a.status),
        ['deleted', 'unknown'],
      )
      assert.deepEqual(intake.all('identities'), [alice])
      assert.deepEqual(
        intake.all('gaps').map((gap) => [gap.reason, gap.toSeq]),
        [['first-start', 1]],
      )
      assert.deepEqual(intake.all('undecodable'), [])
      assert.deepEqual(relay.cursors, [0])
    }))

  it('begins at the live end where it is told so', () =>
    follow(
      async ({ relay, intake }) => {
        await intake.until(() => relay.cursors.length === 1)
        post(relay, 'new')
        await intake.until(() => intake.stored.position === 2)
        assert.deepEqual([relay.cursors, intake.all('sightings').length], [[null], 1])
      },
      { firstStart: 'live', prepare: (relay) => post(relay, 'before') },
    ))

  it('makes one batch of many frames and never one above the limit', () =>
    follow(
      async ({ relay, intake, taken }) => {
        await intake.until(() => intake.stored.position === 2_000)
        assert.ok(intake.batches.length <= 8, `${intake.batches.length} batches`)
        assert.ok(taken.every((batch) => batch.frames <= 500))
        assert.equal(intake.all('sightings').length, 2_000)
        assert.equal(relay.cursors.length, 1)
      },
      { prepare: (relay) => Array.from({ length: 2_000 }, (_, i) => post(relay, `p${i}`)) },
    ))

  it('comes back with its cursor after every kind of ending, and sees each event once', () =>
    follow(async ({ relay, intake }) => {
      const endings = [
        () => relay.hangUp(1000),
        () => relay.hangUp(1001),
        () => relay.hangUp(1008),
        () => relay.hangUp(null),
        () => relay.stall(true),
        () => relay.raw(Buffer.concat([encode({ op: -1 }), encode({ error: 'ConsumerTooSlow' })])),
      ]
      let seq = 0
      for (const end of endings) {
        seq = post(relay, `before ${seq}`)
        await intake.until(() => intake.stored.position === seq)
        const connects = relay.cursors.length
        end()
        await intake.until(() => relay.cursors.length > connects)
        relay.stall(false)
        relay.forget(0)
        seq = post(relay, `after ${seq}`)
        await intake.until(() => intake.stored.position === seq)
      }
      const cids = intake.all('sightings').map((sighting) => sighting.blobCid)
      assert.equal(cids.length, 2 * endings.length)
      assert.equal(new Set(cids).size, cids.length)
      assert.deepEqual(
        intake.all('gaps').map((gap) => gap.reason),
        ['first-start'],
      )
    }))

  it('waits for a host that refuses, and longer each time', () =>
    follow(
      async ({ relay, intake, endings }) => {
        await intake.until(() => endings.length >= 2)
        relay.refuse(false)
        await intake.until(() => intake.stored.position === 1)
        assert.match(endings[0] ?? '', /503/)
      },
      {
        prepare: (relay) => {
          relay.refuse(true)
          post(relay, 'a')
        },
      },
    ))

  it('gives up on a host that accepts a connection and then says nothing', async () => {
    const mute = createServer((socket) => void socket.on('error', () => undefined).resume())
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve))
    const stop = new AbortController()
    let ended: Promise<string> | undefined
    const reason = new Promise<string>((disconnected) => {
      const { port } = mute.address() as AddressInfo
      const relay = { url: `ws://127.0.0.1:${port}` }
      const options = { ...memoryIntake(), metrics: { disconnected }, times: { connectMs: 50 } }
      ended = firehose(relay, options).run(stop.signal)
    })
    assert.match(await reason, /no connection within 50 ms/)
    stop.abort()
    assert.equal(await ended, 'stopped')
    await new Promise((resolve) => mute.close(resolve))
  })

  it('writes down what an outdated cursor lost', () =>
    follow(
      async ({ intake }) => {
        await intake.until(() => intake.stored.position === 5)
        const [gap, ...more] = intake.all('gaps')
        assert.deepEqual(
          [gap?.reason, gap?.fromSeq, gap?.toSeq, more],
          ['outdated-cursor', 2, 4, []],
        )
        assert.equal(intake.all('sightings').length, 2)
      },
      {
        stored: { position: 2 },
        prepare: (relay) => {
          for (const name of ['a', 'b', 'c', 'd', 'e']) post(relay, name)
          relay.forget(2)
        },
      },
    ))

  it('begins at the live end where its cursor lies in the future, and writes that down', () =>
    follow(
      async ({ relay, intake }) => {
        await intake.until(() => relay.cursors.length === 2)
        post(relay, 'new')
        await intake.until(() => intake.stored.position === 2)
        const { cursor, gaps } = intake.batches[0] ?? {}
        assert.deepEqual([cursor?.from, cursor?.to], [1_000, 2])
        assert.deepEqual(
          gaps?.map((gap) => [gap.reason, gap.fromSeq, gap.toSeq]),
          [['future-cursor', 1_000, 2]],
        )
        assert.deepEqual(relay.cursors, [1_000, null])
        relay.hangUp()
        await intake.until(() => relay.cursors.length === 3)
        assert.equal(relay.cursors[2], 2)
      },
      { stored: { position: 1_000 }, prepare: (relay) => post(relay, 'old') },
    ))

  it('writes down a silence that the stream does not usually keep', () =>
    follow(
      async ({ intake }) => {
        await intake.until(() => intake.stored.position === 900)
        assert.deepEqual(
          intake.all('gaps').map((gap) => [gap.reason, gap.fromSeq, gap.toSeq]),
          [['sequence-jump', 5, 900]],
        )
      },
      {
        stored: { position: 5, eventTimeMs: Date.now() - 3_600_000 },
        prepare: (relay) => {
          relay.nextSeq(900)
          post(relay, 'after')
        },
      },
    ))

  it('keeps what it cannot read and goes on', () =>
    follow(async ({ relay, intake, taken }) => {
      relay.raw(Uint8Array.of(0xff, 0xff))
      relay.raw('a text')
      relay.raw(frameOf('#new', { seq: 1 }), 1)
      relay.raw(frameOf('#identity', { seq: 2, did: 'nobody' }), 2)
      relay.raw(Buffer.alloc(frameBytesMax + 1))
      relay.commit({
        did: alice,
        ops: [
          {
            action: 'create',
            path: 'app.bsky.feed.post/gone',
            record: { a: blobRef('gone') },
            withoutBlock: true,
          },
          { action: 'create', path: 'app.bsky.feed.post/here', record: { a: blobRef('here') } },
        ],
      })
      // The first is too deep for the decoder, the second only for the walk.
      for (const depth of [100_000, 1_000]) {
        const inner = encode({ a: blobRef(`deep ${depth}`) })
        const block = Buffer.concat([Buffer.alloc(depth, 0x81), inner])
        relay.commit({ did: alice, ops: [{ action: 'create', path: 'a.b.c/deep', block }] })
      }
      await intake.until(() => intake.stored.position === 5)

      const kept = intake.all('undecodable')
      assert.deepEqual(
        kept.map((frame) => frame.seq),
        [null, null, 1, 2, null, 3, 4, 5],
      )
      assert.deepEqual([...(kept[0]?.bytes ?? [])], [0xff, 0xff])
      assert.equal(Buffer.from(kept[1]?.bytes ?? []).toString(), 'a text')
      assert.equal(kept[4]?.bytes.length, frameBytesKept)
      assert.match(kept[4]?.error ?? '', /first 65536 of 5000001 bytes/)
      assert.match(kept[5]?.error ?? '', /no block for app\.bsky\.feed\.post\/gone/)
      assert.deepEqual(
        intake.all('sightings').map((sighting) => sighting.blobCid),
        ['here', 'deep 100000', 'deep 1000'].map((name) => rawCid(name).toString()),
      )
      assert.deepEqual(
        [taken.reduce((n, t) => n + t.faulty, 0), taken.reduce((n, t) => n + t.truncated, 0)],
        [3, 1],
      )
      assert.equal(relay.cursors.length, 1)
    }))

  it('takes an event once, however often the host repeats it', () =>
    follow(async ({ relay, intake, taken }) => {
      post(relay, 'a')
      const ops = [{ action: 'create' as const, path: 'a.b.c/d', record: { a: blobRef('b') } }]
      for (let i = 0; i < 3; i += 1) relay.raw(commitFrame(1, { did: alice, ops }))
      post(relay, 'c')
      await intake.until(() => intake.stored.position === 2)
      assert.equal(intake.all('sightings').length, 2)
      assert.equal(
        taken.reduce((n, batch) => n + batch.skipped, 0),
        3,
      )
    }))

  it('passes over the accounts it was told to, and the cursor moves', () =>
    follow(async ({ relay, intake }) => {
      relay.commit({
        did: labeler,
        ops: [{ action: 'create', path: 'a.b.c/d', record: { a: blobRef('x') } }],
      })
      relay.account({ did: labeler, active: true })
      await intake.until(() => intake.stored.position === 2)
      assert.deepEqual([intake.all('sightings'), intake.all('accounts')], [[], []])
    }))

  it('tells of repositories that were set without commits before the cursor passes that', () => {
    const syncs: unknown[] = []
    return follow(
      async ({ relay, intake }) => {
        relay.sync({ did: alice, rev: tidOf(8) })
        await intake.until(() => intake.stored.position === 1)
        assert.deepEqual(syncs, [{ did: alice, rev: tidOf(8), position: null }])
      },
      {
        onSync: (intake) => async (sync) =>
          void syncs.push({ ...sync, position: intake.stored.position }),
      },
    )
  })

  it('offers the same batch again while the database is away, whether or not it was taken', () =>
    follow(async ({ relay, intake }) => {
      intake.fail('before', 'before', 'after')
      post(relay, 'a')
      await intake.until(() => intake.stored.position === 1)
      post(relay, 'b')
      await intake.until(() => intake.stored.position === 2)
      assert.equal(intake.all('sightings').length, 2)
    }))

  it('stops when another leader is at work', () =>
    follow(async ({ relay, intake, ended }) => {
      post(relay, 'a')
      await intake.until(() => intake.stored.position === 1)
      intake.stored.epoch += 1
      post(relay, 'b')
      assert.equal(await ended, 'fenced')
      assert.equal(intake.all('sightings').length, 1)
    }))

  it('throws what is not the database being away', async () => {
    await using relay = await startFakeRelay()
    post(relay, 'a')
    const takeIn = () => Promise.reject(new TypeError('a bug'))
    const run = firehose(relay, { ...memoryIntake(), takeIn }).run(AbortSignal.timeout(5_000))
    await assert.rejects(run, /a bug/)
  })

  it('reads nothing while a batch is being taken, and loses nothing by it', async () => {
    await using relay = await startFakeRelay()
    const intake = memoryIntake()
    let release: (() => void) | undefined
    const held = new Promise<void>((resolve) => (release = resolve))
    const takeIn: typeof intake.takeIn = async (batch) => {
      await held
      return intake.takeIn(batch)
    }
    const stop = new AbortController()
    const run = firehose(relay, { ...intake, takeIn }).run(stop.signal)
    const filler = 'x'.repeat(100_000)
    for (let i = 0; i < 200; i += 1) {
      relay.commit({
        did: alice,
        ops: [{ action: 'create', path: `a.b.c/${i}`, record: { filler, a: blobRef(`${i}`) } }],
      })
    }
    await wait(200)
    assert.deepEqual(intake.batches, [])
    release?.()
    await intake.until(() => intake.stored.position === 200)
    assert.equal(intake.all('sightings').length, 200)
    assert.equal(relay.cursors.length, 1)
    stop.abort()
    assert.equal(await run, 'stopped')
  })

  it('stops reading while intake is not allowed and goes on from there', () => {
    let allowed = false
    return follow(
      async ({ relay, intake }) => {
        post(relay, 'a')
        await wait(100)
        assert.deepEqual(intake.batches, [])
        allowed = true
        await intake.until(() => intake.stored.position === 1)
      },
      { intakeAllowed: () => allowed },
    )
  })

  it('survives a slow host and stops at once when told', () =>
    follow(
      async ({ intake, stop, ended }) => {
        await intake.until(() => (intake.stored.position ?? 0) >= 3)
        const begun = performance.now()
        stop.abort()
        assert.equal(await ended, 'stopped')
        assert.ok(performance.now() - begun < 1_500)
        assert.equal(intake.all('sightings').length, intake.stored.position)
      },
      {
        prepare: (relay) => {
          relay.slow(60)
          for (let i = 0; i < 50; i += 1) post(relay, `${i}`)
        },
      },
    ))
})
