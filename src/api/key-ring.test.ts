import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { idBytes, makeKey, secretBytes } from '../cases/api-keys.ts'
import type { StoredKey } from '../cases/api-keys.ts'
import { RetryableError } from '../domain/errors.ts'
import { createKeyRing, keyRingLimits } from './key-ring.ts'

const here = { address: '10.1.2.3', isForwarded: false }

function ringOf(change: Partial<StoredKey> = {}) {
  const { id, key, secretSha256 } = makeKey(randomBytes(idBytes + secretBytes))
  const row: StoredKey = {
    id,
    secretSha256: Buffer.from(secretSha256, 'hex'),
    principal: 7,
    name: 'client',
    kind: 'service',
    scopes: ['scan'],
    networks: null,
    requestsPerSecond: null,
    expiresAt: null,
    revokedAt: null,
    ...change,
  }
  const state = {
    nowMs: 1_000_000,
    reads: 0,
    isAway: false,
    isStuck: false,
    used: [] as string[][],
  }
  const ring = createKeyRing({
    clock: () => state.nowMs,
    async read(asked) {
      state.reads += 1
      if (state.isStuck) return new Promise<never>(() => {})
      if (state.isAway) throw new RetryableError('the database is away')
      return asked === id ? row : undefined
    },
    async used(ids) {
      state.used.push(ids)
    },
    onError: (error) => assert.fail(String(error)),
  })
  const open = (header: string | undefined = `Bearer ${key}`, from = here) =>
    ring.open(header, from)
  return { ring, row, key, state, open }
}

describe('a key', () => {
  test('opens with its principal and scopes, whatever the case of Bearer', async () => {
    const { open, key, row } = ringOf({ requestsPerSecond: 9 })
    const opened = await open(`bearer ${key}`)
    assert.ok(opened.kind === 'open')
    assert.deepEqual([opened.keyId, opened.requestsPerSecond], [row.id, 9])
    assert.deepEqual([opened.access.principal, [...opened.access.scopes]], [7, ['scan']])
  })

  test('that is not right to the last character opens nothing, and neither does anything else', async () => {
    const { open, key } = ringOf()
    const last = key.endsWith('A') ? 'B' : 'A'
    const wrong = [
      undefined,
      '',
      'Bearer',
      key,
      `Basic ${key}`,
      `Bearer ${key.slice(0, -1)}${last === 'A' ? 'Q' : last}`.slice(0, -1),
      `Bearer ${key}x`,
      `Bearer ${key} `,
      `Bearer mk_${'0'.repeat(12)}_${key.slice(16)}`,
      `Bearer ${'x'.repeat(10_000)}`,
    ]
    for (const header of wrong)
      assert.deepEqual(await openOf(header), { kind: 'refused', reason: 'key' }, header)
    function openOf(header: string | undefined) {
      return header === undefined ? ringOf().ring.open(undefined, here) : open(header)
    }
  })

  test('that is over or revoked opens nothing a second later', async () => {
    const { open, row, state } = ringOf({ expiresAt: new Date(1_002_000) })
    assert.equal((await open()).kind, 'open')
    state.nowMs = 1_002_000
    assert.equal((await open()).kind, 'refused')
    const second = ringOf()
    assert.equal((await second.open()).kind, 'open')
    second.row.revokedAt = new Date(0)
    second.state.nowMs += keyRingLimits.freshMs
    assert.equal((await second.open()).kind, 'refused')
    assert.equal(row.revokedAt, null)
  })

  test('that is revoked while the clock is set back by hours opens nothing', async () => {
    const { open, row, state } = ringOf()
    assert.equal((await open()).kind, 'open')
    row.revokedAt = new Date(0)
    state.nowMs -= 7_200_000
    assert.equal((await open()).kind, 'refused')
  })

  test('that is bound to networks opens from there, and never through a proxy', async () => {
    const { open } = ringOf({ networks: ['10.1.0.0/16'] })
    const from = async (address: string, isForwarded = false) =>
      (await open(undefined, { address, isForwarded })).kind
    assert.deepEqual(
      [
        await from('10.1.9.9'),
        await from('10.2.0.1'),
        await from(''),
        await from('10.1.9.9', true),
      ],
      ['open', 'refused', 'refused', 'refused'],
    )
  })

  test('is read once a second, however many ask', async () => {
    const { open, state } = ringOf()
    await Promise.all(Array.from({ length: 100 }, () => open()))
    assert.equal(state.reads, 1)
    state.nowMs += keyRingLimits.freshMs
    await Promise.all(Array.from({ length: 100 }, () => open()))
    assert.equal(state.reads, 2)
  })

  test('goes on for a minute while the database is away; one that is not known is asked again', async () => {
    const { open, state } = ringOf()
    assert.equal((await open()).kind, 'open')
    state.isAway = true
    for (let seconds = 0; seconds < 55; seconds += 5) {
      state.nowMs += 5_000
      assert.equal((await open()).kind, 'open')
    }
    state.nowMs += keyRingLimits.staleMs
    await assert.rejects(open(), RetryableError)
    state.isAway = false
    assert.equal((await open()).kind, 'open')
  })

  test('goes on too where the database says nothing at all, and waits two seconds for it', async (t) => {
    const { open, state } = ringOf()
    assert.equal((await open()).kind, 'open')
    t.mock.timers.enable({ apis: ['setTimeout'] })
    state.isStuck = true
    state.nowMs += 5_000
    const opened = open()
    t.mock.timers.tick(keyRingLimits.readMs)
    assert.equal((await opened).kind, 'open')
  })

  test('that was used is told when the ring is closed, once', async () => {
    const { ring, open, row, state } = ringOf()
    await open()
    await open()
    await open(`Bearer mk_${row.id}_${'A'.repeat(43)}`)
    await ring[Symbol.asyncDispose]()
    assert.deepEqual(state.used, [[row.id]])
  })
})
