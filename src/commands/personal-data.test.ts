// account erase and legal-hold, on a database as a service leaves it.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { SocketAddress } from '../db/address.ts'
import { decideCase } from '../steps/withdraw.ts'
import { liftLegalHold, placeLegalHold, requestErasure } from '../steps/personal.ts'
import { readErasureRecord, pairErasures } from '../ledger/erasure-record.ts'
import type { ErasureRecord } from '../ledger/erasure-record.ts'
import { workRemovals } from '../roles/keep-house.ts'
import { whereNamed } from '../testing/where-named.ts'
import { alice, bob, createWorld } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { commandLine } from './run-in-test.ts'
import type { RunCommand } from './run-in-test.ts'

const any = await commandLine()

/** The command line on this world's database. */
function on(world: World): RunCommand {
  const { appAddress, ownerAddress } = world.database
  const env = {
    BLOBWATCH_DATABASE_URL: urlOf(appAddress),
    BLOBWATCH_DATABASE_OWNER_URL: urlOf(ownerAddress),
  }
  const run: RunCommand = (words, options = {}) =>
    any(words, { ...options, env: { ...env, ...options.env } })
  return run
}

function urlOf({ host, database, username, port }: SocketAddress): string {
  return `postgres://${username}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`
}

/** Alice and Bob posted the same known picture; it was found, and the case decided. */
async function decided(t: { after(clean: () => Promise<void>): void }): Promise<World> {
  const world = await createWorld(t)
  await world.bank('BAD', { mode: 'hold' })
  await world.content('BAD', 'one')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'one', rkey: 'b' },
    { did: alice, bytes: 'clean', rkey: 'c' },
  ])
  await world.settle()
  await decideCase(world.db, {
    caseNumber: 1,
    verb: 'release',
    principal: world.principal,
    nowMs: world.clock(),
    note: `talked to ${alice}`,
  })
  await world.settle()
  return world
}

/** Every commitment that does not open is named by an erasure, and no other. */
async function assertPaired(world: World): Promise<ErasureRecord[]> {
  const { faults, documents, commitments } = await world.ledger()
  assert.deepEqual(faults, [])
  const records = documents.map(readErasureRecord).filter((record) => record !== undefined)
  assert.ok(records.every((record) => typeof record === 'object'))
  const isErased = pairErasures(records)
  const kept = new Set(
    (await world.db<{ at: string }[]>`select seq || ':' || field as at from ledger_private`).map(
      (row) => row.at,
    ),
  )
  let erased = 0
  for (const { seq, com } of documents)
    for (const field of Object.keys(com)) {
      assert.equal(kept.has(`${seq}:${field}`), !isErased(seq), `entry ${seq} ${field}`)
      erased += isErased(seq) ? 1 : 0
    }
  assert.equal(commitments.erased, erased)
  assert.equal(
    records.reduce((sum, record) => sum + record.fields, 0),
    erased,
  )
  return records
}

const basis = ['--basis', 'request of 3 May']

describe('account erase', () => {
  test('says what goes, what stays and why, and changes nothing without --yes', async (t) => {
    const world = await decided(t)
    const { code, out } = await on(world)(['account', 'erase', alice, ...basis])
    assert.equal(code, 0)
    for (const text of ['sightings ', 'It stays', 'nobody can open', 'again with --yes'])
      assert.ok(out.includes(text), text)
    const { json } = await on(world)(['account', 'erase', alice, ...basis, '--json'])
    const shown = json() as { done: boolean; goes: Record<string, number>; waitsFor: string[] }
    assert.deepEqual([shown.done, shown.goes['sightings'], shown.waitsFor], [false, 2, []])
    assert.ok((shown.goes['values'] ?? 0) > 0)
    assert.equal((await world.db`select from account where did = ${alice}`).length, 1)
    assert.equal((await world.db`select from removal`).length, 0)
  })

  test('leaves the DID nowhere, in no spelling, and every commitment it emptied is named by its entry', async (t) => {
    const world = await decided(t)
    const hold = { reason: `about ${alice}`, principal: world.principal, nowMs: world.clock() }
    const id = await placeLegalHold(world.db, { ...hold, caseNumber: 1, authority: alice })
    await liftLegalHold(world.db, { ...hold, id })
    const own = await placeLegalHold(world.db, { ...hold, did: alice })
    await liftLegalHold(world.db, { ...hold, id: own })
    await on(world)(['case', 'note', '1', `once more ${alice}`])
    await world.sequence()
    const before = await whereNamed(world.database.owner, alice)
    for (const place of ['account.did', 'case_event.note', 'legal_hold.reason'])
      assert.ok(before.includes(place), place)
    const { code, out, json } = await on(world)([
      'account',
      'erase',
      alice,
      ...basis,
      '--yes',
      '--json',
    ])
    assert.equal(code, 0, out)
    const erased = json() as { done: boolean; fields: number }
    assert.ok(erased.done && erased.fields > 0)
    assert.ok(!out.includes(alice))
    assert.deepEqual(await whereNamed(world.database.owner, alice), [])
    await world.sequence()
    assert.deepEqual(await whereNamed(world.database.owner, alice), [])
    const [record] = await assertPaired(world)
    assert.equal(record?.fields, erased.fields)
    assert.equal(
      (await world.db`select from account_key`).length,
      1,
      'the other account keeps its own',
    )
    const { documents } = await world.ledger()
    const entry = documents.find((one) => one.type === 'account.erased')
    assert.equal(entry?.pub['basis'], 'requested')
    assert.ok(entry?.com['basis'], 'what the person wrote is behind a commitment')
    assert.ok(!JSON.stringify(entry).includes('3 May'))
  })

  test('an account that comes back after its erasure is a new one with a new key', async (t) => {
    const world = await decided(t)
    const keyOf = async (did: string) =>
      world.db<{ account: number; sealed: Buffer }[]>`
        select k.account, k.sealed from account_key k join account a on a.id = k.account where a.did = ${did}`
    const [before] = await keyOf(alice)
    await on(world)(['account', 'erase', alice, ...basis, '--yes'])
    await world.sight([{ did: alice, bytes: 'one', rkey: 'z' }])
    await world.settle()
    const [after] = await keyOf(alice)
    assert.ok(before && after)
    assert.ok(after.account > before.account)
    assert.notDeepEqual(after.sealed, before.sealed)
    await assertPaired(world)
    assert.equal((await on(world)(['account', 'erase', alice, ...basis])).code, 0)
  })

  test('names thousands of separate entries in several entries of one erasure, each within the size of an entry', async (t) => {
    const world = await decided(t)
    const { owner } = world.database
    const far = 9_000_000_000_000_000
    await owner`
      insert into ledger_private (seq, field, account, sealed)
      select ${far}::bigint + n * 2, 'x', a.id, 'x' from account a, generate_series(1, 3400) n where a.did = ${alice}`
    const { code } = await on(world)(['account', 'erase', alice, ...basis, '--yes'])
    assert.equal(code, 0)
    await world.sequence()
    const { faults, documents } = await world.ledger()
    // The entries of these rows were never written: the numbers are the longest that there are, for the size. A verifier says so.
    const problems = new Set(faults.map(({ problem }) => problem))
    assert.deepEqual([...problems], ['what it says of erased entries cannot be'])
    const records = documents.map(readErasureRecord).filter((record) => typeof record === 'object')
    assert.deepEqual(
      records.map(({ part, parts }) => [part, parts]),
      [
        [1, 3],
        [2, 3],
        [3, 3],
      ],
    )
    const isErased = pairErasures(records)
    assert.ok([1, 1700, 3400].every((n) => isErased(far + n * 2) && !isErased(far + n * 2 + 1)))
    const sizes = await world.db<{ bytes: number }[]>`
      select length(bytes) as bytes from ledger_entry where position('"account.erased"'::bytea in bytes) > 0`
    assert.ok(sizes.every(({ bytes }) => bytes < 60_000))
  })

  test('waits for an open case and for a value that is not an entry yet, and says so', async (t) => {
    const world = await createWorld(t)
    await world.bank('BAD', { mode: 'hold' })
    await world.content('BAD', 'one')
    await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
    while ((await world.scanDue()) > 0);
    const first = await on(world)(['account', 'erase', alice, ...basis, '--yes'])
    assert.equal(first.code, 1)
    assert.match(first.out, /A case with this account is open/)
    assert.match(first.out, /The request is noted/)
    await on(world)(['case', 'release', '1'])
    const second = await on(world)(['account', 'erase', alice, ...basis, '--yes'])
    assert.match(second.out, /waits for its ledger entry/)
    assert.equal((await world.db`select from removal`).length, 1, 'one request, however often')
    await world.settle()
    assert.equal((await workRemovals(world.db, world.clock())).accounts, 1)
    await world.settle()
    await assertPaired(world)
    const { documents } = await world.ledger()
    const erased = documents.find((entry) => entry.type === 'account.erased')
    assert.deepEqual([erased?.pub['basis'], erased?.actor['kind']], ['requested', 'person'])
    assert.equal(documents.filter((entry) => entry.type === 'erasure.waiting').length, 1)
    assert.deepEqual(await whereNamed(world.database.owner, alice), [])
  })

  test('refuses what is no DID, what it does not know, and a basis that names somebody', async (t) => {
    const world = await decided(t)
    for (const [words, said] of [
      [['account', 'erase', 'alice.example', ...basis], /given by its DID/],
      [['account', 'erase', `did:plc:${'z'.repeat(24)}`, ...basis], /nothing to erase/],
      [['account', 'erase', alice, '--basis', `letter of ${alice}`], /names no DID/],
      [['account', 'erase', alice, '--basis', ' '], /1 to 500 characters/],
      [['account', 'erase', alice], /--basis/],
    ] as const) {
      const { code, err } = await on(world)([...words])
      assert.equal(code, 2)
      assert.match(err, said)
    }
  })
})

describe('legal-hold', () => {
  test('blocks an erasure with a sentence that does not say why, and lifting it lets the erasure happen', async (t) => {
    const world = await decided(t)
    const preview = await on(world)(['account', 'erase', alice, ...basis, '--json'])
    assert.deepEqual((preview.json() as { waitsFor: string[] }).waitsFor, [])
    const placed = await on(world)([
      'legal-hold',
      'add',
      '--account',
      alice,
      '--reason',
      'a secret inquiry',
      '--authority',
      'court of Y',
    ])
    assert.match(placed.out, /legal hold 1 stands/)
    const erase = await on(world)(['account', 'erase', alice, ...basis, '--yes'])
    assert.equal(erase.code, 1)
    assert.match(erase.out, /A legal hold stands/)
    assert.ok(!/secret|court/.test(erase.out + erase.err))
    await world.settle()
    assert.equal((await workRemovals(world.db, world.clock())).accounts, 0)
    const listed = (await on(world)(['legal-hold', 'list', '--json'])).json() as {
      legalHolds: { did: string; authority: string }[]
    }
    assert.deepEqual(
      listed.legalHolds.map(({ did, authority }) => [did, authority]),
      [[alice, 'court of Y']],
    )
    const lifted = await on(world)(['legal-hold', 'lift', '1', '--reason', 'inquiry closed'])
    assert.match(lifted.out, /legal hold 1 is lifted/)
    await world.settle()
    assert.equal((await workRemovals(world.db, world.clock())).accounts, 1)
    await world.settle()
    await assertPaired(world)
    assert.equal((await on(world)(['legal-hold', 'list'])).out, 'No legal hold stands.')
    assert.match((await on(world)(['legal-hold', 'list', '--all'])).out, /\(erased\)/)
    const { documents } = await world.ledger()
    const placing = documents.find((entry) => entry.type === 'legal-hold.placed')
    assert.deepEqual(placing?.pub, { legalHold: 1 })
    assert.deepEqual(Object.keys(placing?.com ?? {}).toSorted(), ['account', 'authority', 'reason'])
    assert.ok(documents.some((entry) => entry.type === 'legal-hold.lifted'))
  })

  test('on a case blocks every account of that case, also where the case came after the decision', async (t) => {
    const world = await decided(t)
    // As for a decision that was taken before its case was opened: only the blob leads from one to the other.
    await world.database.owner`update decision set case_file = null where account =
      (select id from account where did = ${bob})`
    await on(world)(['legal-hold', 'add', '--case', '1', '--reason', 'letter'])
    for (const did of [alice, bob]) {
      const { code, out } = await on(world)(['account', 'erase', did, ...basis, '--yes'])
      assert.equal(code, 1)
      assert.match(out, /A legal hold stands/)
    }
  })

  test('a legal hold and an erasure at the same moment: never both', async (t) => {
    const world = await decided(t)
    for (let round = 0; round < 6; round += 1) {
      const did = `did:plc:${'abcdef'[round]?.repeat(24)}`
      await world.sight([{ did, bytes: 'clean', rkey: 'r' }])
      const who = { did, principal: world.principal, nowMs: world.clock() }
      const hold = () => placeLegalHold(world.db, { ...who, reason: 'x' })
      const erase = () => requestErasure(world.db, { ...who, basis: 'x' })
      const order = round % 2 === 0 ? [hold(), erase()] : [erase(), hold()]
      await Promise.allSettled(order)
      const [held] = await world.db<{ held: boolean; named: boolean }[]>`
        select exists (select from legal_hold h join account a on a.id = h.account where a.erased_at is not null) as held,
          exists (select from account where did = ${did}) as named`
      assert.equal(held?.held, false)
      const standing = await world.db`
        select from legal_hold h join account a on a.id = h.account where a.did = ${did}`
      assert.equal(standing.length, held?.named ? 1 : 0)
    }
  })

  test('mistakes are exit code 2 and change nothing', async (t) => {
    const world = await decided(t)
    for (const [words, said] of [
      [['legal-hold', 'add', '--reason', 'x'], /one of them/],
      [['legal-hold', 'add', '--case', '1', '--account', alice, '--reason', 'x'], /one of them/],
      [['legal-hold', 'add', '--case', '99', '--reason', 'x'], /no case 99/],
      [['legal-hold', 'add', '--account', 'x', '--reason', 'x'], /is a DID/],
      [
        ['legal-hold', 'add', '--account', `did:plc:${'z'.repeat(24)}`, '--reason', 'x'],
        /nothing is kept about it/,
      ],
      [['legal-hold', 'add', '--case', '1', '--reason', ' '], /1 to 2000 characters/],
      [['legal-hold', 'add', '--case', '1'], /--reason/],
      [['legal-hold', 'lift', '7', '--reason', 'x'], /no legal hold 7 that stands/],
      [['legal-hold', 'lift', 'x', '--reason', 'x'], /whole number/],
    ] as const) {
      const { code, err } = await on(world)([...words])
      assert.equal(code, 2, words.join(' '))
      assert.match(err, said)
    }
    assert.equal((await world.db`select from legal_hold`).length, 0)
  })
})

for (const [point, again] of [
  ['erase:before', 0],
  ['erase:after', 2],
] as const) {
  test(`an erasure killed at ${point} is there whole or not at all`, async (t) => {
    const world = await decided(t)
    const erase = async (crashPoint?: string) => {
      const { appAddress, ownerAddress } = world.database
      const main = join(import.meta.dirname, '..', 'main.ts')
      const child = spawn(process.execPath, [main, 'account', 'erase', alice, ...basis, '--yes'], {
        env: {
          BLOBWATCH_PRINCIPAL: 'tester',
          BLOBWATCH_DATABASE_URL: urlOf(appAddress),
          BLOBWATCH_DATABASE_OWNER_URL: urlOf(ownerAddress),
          ...(crashPoint !== undefined && { BLOBWATCH_CRASH_POINT: crashPoint }),
        },
        stdio: 'ignore',
      })
      const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
      return signal ?? code
    }
    assert.equal(await erase(point), 'SIGKILL')
    assert.equal(await erase(), again)
    await world.sequence()
    assert.equal((await assertPaired(world)).length, 1)
    assert.deepEqual(await whereNamed(world.database.owner, alice), [])
  })
}
