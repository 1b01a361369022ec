// The integration guide's flow beside a real PDS: hashed, matched, asked for, decided by our own scan, done.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import sharp from 'sharp'
import { Webhook } from 'standardwebhooks'
import { keyInTest } from '../api/api-in-test.ts'
import { checkedAsk } from '../api/openapi-check.ts'
import { addContent, createBank } from '../banks/bank-store.ts'
import { pdqHash } from '../signals/pdq/hash.ts'
import { principalId } from '../steps/withdraw.ts'
import { canaryPicture, cleanPicture, recompressed } from '../testing/canary.ts'
import type { TestDatabase } from '../testing/database.ts'
import { postPictures, uploadPicture } from '../testing/network.ts'
import { startRealWorld } from '../testing/real-service.ts'

type Match = { match_id: string; bank_name: string }
type Hashed = { hashes: { algorithm: string; hash_value: string }[] }
type State = {
  status: string
  places: { status: string; record?: string; case?: number; reason?: string }[]
}

const run = promisify(execFile)
const example = (name: string) =>
  fileURLToPath(new URL(`../../examples/guide/${name}`, import.meta.url))
const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`

test('the guide, from a picture to a takedown: the exact one acts, the look-alike waits for a person, the clean one is let be', async (t) => {
  await using world = await startRealWorld()
  const known = await canaryPicture({ seed: 1, width: 320, height: 240 })
  const similar = await canaryPicture({ seed: 2, width: 320, height: 240 })
  await bankIt(world.database, { name: 'NCMEC', picture: known, exact: true })
  await bankIt(world.database, { name: 'LOOKS', picture: similar, exact: false })
  const service = await world.start({
    BLOBWATCH_FIREHOSE_URL: 'off',
    BLOBWATCH_WEBHOOK_SECRET: secret,
  })
  const url = service.privateUrl
  const scopes = ['scan', 'match:read', 'bank:read', 'act', 'report'] as const
  const key = await keyInTest(world.database, [...scopes], { name: 'pds' })
  const api = {
    url,
    key: (wanted: Parameters<typeof keyInTest>[1]) => keyInTest(world.database, wanted),
    ask: (path: string, { key: by, ...init }: RequestInit & { key: string }) => {
      const headers = new Headers(init.headers)
      headers.set('authorization', `Bearer ${by}`)
      return fetch(`${url}${path}`, { ...init, headers })
    },
  }
  const ask = await checkedAsk(api)
  const hash = async (picture: Uint8Array) => {
    const body = new FormData()
    body.set('file', new Blob([Uint8Array.from(picture)]))
    return (await ask<Hashed>('/hash', { method: 'POST', key, body })).body.hashes
  }
  const matchOf = async (picture: Uint8Array, type: string) => {
    const hashed = (await hash(picture)).find(({ algorithm }) => algorithm === type)
    const json = { hash_value: hashed?.hash_value, hash_type: type }
    return (await ask<{ matches: Match[] }>('/match', { key, json })).body.matches[0]
  }
  const act = async (content_id: string, match_info: Match | undefined) => {
    const action_id = randomUUID()
    const json = { action_id, action_type: 'takedown', content_id, match_info }
    const { status, body } = await ask('/action', { key, json })
    assert.equal(status, 202, JSON.stringify(body))
    return action_id
  }
  const ended = async (id: string): Promise<State> => {
    for (let tries = 0; tries < 600; tries += 1) {
      const { body } = await ask<State>(`/action/${id}`, { key })
      if (body.status !== 'accepted') return body
      await sleep(100)
    }
    throw new Error('the action does not end')
  }

  const alice = world.account(0)
  const bob = world.account(1)

  await t.test('an exact digest in mode act: picture and record are down on the PDS', async () => {
    const post = await postPictures(alice, [known])
    const state = await ended(await act(post.uri, await matchOf(known, 'sha256')))
    assert.deepEqual(
      [state.status, state.places.map(({ status, reason }) => [status, reason])],
      ['acted', [['acted', 'exact']]],
    )
    assert.equal(await world.takenDown([{ did: alice.did, post }]), 2)
  })

  const lookAlike = await recompressed(similar, 40)
  const held = await postPictures(bob, [lookAlike])
  await t.test('a look-alike waits for a person with a case, whatever was asked', async () => {
    const match = await matchOf(lookAlike, 'pdq')
    assert.equal(match?.bank_name, 'LOOKS')
    const state = await ended(await act(held.uri, match))
    assert.equal(state.status, 'held')
    assert.equal(state.places[0]?.reason, 'perceptual')
    const caseNumber = state.places[0]?.case ?? 0
    assert.equal(await world.count(`case_file where id = ${caseNumber} and state = 'open'`), 1)
    assert.equal(await world.takenDown([{ did: bob.did, post: held }]), 0)
  })

  await t.test('bytes that do not match are let be, whichever match was shown', async () => {
    const post = await postPictures(bob, [await cleanPicture(5)])
    const state = await ended(await act(post.uri, await matchOf(known, 'sha256')))
    assert.equal(state.status, 'not-matched')
    assert.equal(await world.takenDown([{ did: bob.did, post }]), 0)
  })

  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-guide-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const file = join(dir, 'image.jpg')
  const env = { ...process.env, BLOBWATCH_URL: url, BLOBWATCH_KEY: key }

  /** As the operator's PDS announces an upload, under its own name for it. */
  async function announce(contentId: string, picture: Uint8Array): Promise<void> {
    const blob = await uploadPicture(alice, picture)
    const body = JSON.stringify({
      ...{ event_type: 'image_upload', content_id: contentId, did: alice.did },
      cid: blob.ref.toString(),
    })
    const [id, at] = [randomUUID(), new Date()]
    const response = await fetch(`${service.publicUrl}/api/v1/webhook/atproto-callback`, {
      method: 'POST',
      headers: {
        'webhook-id': id,
        'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
        'webhook-signature': new Webhook(secret).sign(id, at, body),
      },
      body,
    })
    assert.equal(response.status, 202)
  }

  await t.test("the guide's Python example runs as written", async (t) => {
    const hasPython = await run('python3', ['-c', 'import requests']).then(
      () => true,
      () => false,
    )
    if (!hasPython) return t.skip('no python3 with requests')
    await writeFile(file, similar)
    await announce('content_123', similar)
    const { stdout } = await run('python3', [example('check_image.py'), file], { env })
    assert.equal(stdout, 'matches: 1\naction: accepted\n')
  })

  await t.test('so does its port to plain Node', async () => {
    await announce('content_124', similar)
    await writeFile(file, similar)
    const words = [example('check-image.mjs'), file, 'content_124', 'n-124']
    const { stdout } = await run(process.execPath, words, { env })
    assert.equal(stdout, 'matches: 1\naction: accepted\n')
    await writeFile(file, await cleanPicture(9))
    const clean = await run(process.execPath, [example('check-image.mjs'), file], { env })
    assert.equal(clean.stdout, 'matches: 0\n')
  })

  const { createClient } = await import(example('client.mjs'))
  const client = createClient({ url, key })

  await t.test(
    "the guide's PDS example turns an upload of NCMEC's away, and lets others in",
    async () => {
      const { createUploadHandler } = await import(example('pds-upload.mjs'))
      const logged: { takedownId: string; reportId: string }[] = []
      const upload = createUploadHandler({
        client,
        saveImage: async (bytes: Uint8Array) => {
          const blob = await uploadPicture(world.account(2), bytes)
          return `${world.account(2).did}/${blob.ref.toString()}`
        },
        logModerationAction: async (entry: (typeof logged)[0]) => void logged.push(entry),
      })
      assert.deepEqual(await upload(known, 'carol'), { error: 'Content policy violation' })
      const state = await ended(logged[0]?.takedownId ?? '')
      assert.equal(state.status, 'acted')
      const { body } = await ask<{ case?: number }>(`/action/${logged[0]?.reportId}`, { key })
      assert.equal(
        await world.count(`case_file where id = ${body.case ?? 0} and state = 'open'`),
        1,
      )
      const clean = (await upload(await cleanPicture(6), 'carol')) as { success: boolean }
      assert.equal(clean.success, true)
    },
  )

  await t.test(
    "the guide's AppView example hides what matches and thanks for a report",
    async () => {
      const { createAppView } = await import(example('appview.mjs'))
      const shown = await postPictures(bob, [await cleanPicture(7)])
      const cids: Record<string, string | undefined> = {
        [held.uri]: held.blobCids[0],
        [shown.uri]: shown.blobCids[0],
      }
      const view = createAppView({
        client,
        getImageUrl: async (contentId: string) =>
          `${service.parts.config.pds?.url}/xrpc/com.atproto.sync.getBlob?did=${bob.did}&cid=${cids[contentId]}`,
        renderImage: (imageUrl: string) => `image ${imageUrl}`,
        renderPlaceholder: (text: string) => text,
        showNotification: (text: string) => text,
      })
      assert.equal(
        await view.displayImage('x', held.uri),
        'This image has been removed for policy violations',
      )
      assert.equal(await view.displayImage('x', shown.uri), 'image x')
      const thanks = 'Thank you for your report'
      assert.equal(await view.handleUserReport(held.uri, 'bad'), thanks)
      assert.equal(await view.handleUserReport(shown.uri, 'bad'), thanks)
      assert.equal(await world.count("sighting where source = 'api' and collection is not null"), 5)
    },
  )

  await t.test(
    'every request is in the ledger under the name of who asked, and it verifies',
    async () => {
      for (let tries = 0; (await world.count('ledger_intake')) > 0; tries += 1) {
        assert.ok(tries < 300, 'the ledger does not move')
        await sleep(100)
      }
      const entries = await world.ledger()
      const asked = entries.filter(({ type }) => type === 'action.requested')
      const rows = await world.count('api_action_place')
      assert.ok(rows >= 7)
      assert.equal(asked.length, rows)
      const digest = createHash('sha256').update(known).digest('hex')
      assert.ok(!world.lines.join('').includes(digest))
    },
  )
})

/** Exact digest and look where `exact`, else the look alone. */
async function bankIt(
  { app }: TestDatabase,
  input: { name: string; picture: Uint8Array; exact: boolean },
): Promise<void> {
  const { name, picture } = input
  const nowMs = Date.now()
  const by = { principal: await principalId(app, { kind: 'person', name: 'tester', nowMs }), nowMs }
  await createBank(app, { name, mode: 'act', class: 'restricted', ...by })
  const { data, info } = await sharp(picture).raw().toBuffer({ resolveWithObject: true })
  const { hash, quality } = pdqHash(data, info.width, info.height, 3)
  const digest = createHash('sha256').update(picture).digest('hex')
  const signals = [
    { type: 'pdq' as const, value: hash, quality },
    ...(input.exact ? [{ type: 'sha256' as const, value: digest }] : []),
  ]
  await addContent(app, { bank: name, signals, ...by })
}
