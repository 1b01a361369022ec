// backup keys, backup rotate, restore keys and restore check: a database backup, restored a long time later, opens nothing
// of what was erased in between, and forgets it again.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import type { SocketAddress } from '../db/address.ts'
import { openSession } from '../db/session.ts'
import { openAccountKeys } from '../ledger/account-keys.ts'
import { keySetFile, readKeySets } from '../ledger/key-set-file.ts'
import { readEntries, readHead, readPrivate } from '../ledger/read-ledger.ts'
import { createDataKey } from '../ledger/seal.ts'
import { createVerifier } from '../verifier/verify-stored.ts'
import { openBackup } from '../roles/key-backup.ts'
import { lockKeys } from '../service-locks.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import type { TestDatabase } from '../testing/database.ts'
import { copyDatabase } from '../testing/copy-database.ts'
import { whereNamed } from '../testing/where-named.ts'
import { commandLine } from './run-in-test.ts'
import type { RunCommand } from './run-in-test.ts'
import { digestOfText, enter, see, testDataKey } from './seed-in-test.ts'

type Context = { after(clean: () => Promise<void>): void }

const [alice, bob, carol, dave] = ['a', 'b', 'c', 'd'].map(
  (letter) => `did:plc:${letter.repeat(24)}`,
) as [string, string, string, string]
const identity = await generateIdentity()
const recipients = await identityToRecipient(identity)
const any = await commandLine()
const identityFile = join(any.dir, 'identity.txt')
await writeFile(identityFile, `# offline\n${identity}\n`)

function urlOf({ host, database, username, port }: SocketAddress): string {
  return `postgres://${username}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`
}

function environment(database: TestDatabase, dir: string): Record<string, string> {
  return {
    BLOBWATCH_PRINCIPAL: 'tester',
    BLOBWATCH_DATA_DIR: dir,
    BLOBWATCH_DATA_KEY: testDataKey,
    BLOBWATCH_BACKUP_RECIPIENTS: recipients,
    BLOBWATCH_DATABASE_URL: urlOf(database.appAddress),
    BLOBWATCH_DATABASE_OWNER_URL: urlOf(database.ownerAddress),
  }
}

/** A machine of its own: its data folder, and the command line in it. */
async function machine(t: Context, database: TestDatabase) {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-machine-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  const env = environment(database, dir)
  const run: RunCommand = (words, options = {}) =>
    any(words, { ...options, env: { ...env, ...options.env } })
  const dataKey = createDataKey(testDataKey, () => readKeySets(dir))
  return { database, dir, env, run, dataKey }
}

type Machine = Awaited<ReturnType<typeof machine>>

/** Alice, Bob and Carol have values in the ledger. */
async function seeded(t: Context): Promise<Machine> {
  const database = await testDatabase(t)
  const home = await machine(t, database)
  await home.run(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'observe'])
  await home.run(['bank', 'add', 'SPAM', '--sha256', digestOfText('one')])
  for (const [did, rkey] of [
    [alice, '1'],
    [bob, '2'],
  ] as const)
    await see(database, { text: 'one', rkey, did, mode: 'observe' })
  await enterOn(home)
  return home
}

async function enterOn({ database, dataKey }: Machine): Promise<void> {
  await enter(database, dataKey)
}

async function read({ database, dataKey }: Machine) {
  const head = await readHead(database.app)
  const verifier = createVerifier({ log: 'test/ledger', pairs: true })
  const opened: string[] = []
  for await (const page of readEntries(database.app, { from: 0, to: head?.size ?? 0 })) {
    const open = await readPrivate(database.app, page, dataKey)
    verifier.add(page, open)
    for (const entry of page) {
      const { com } = JSON.parse(entry.bytes.toString()) as { com: object }
      for (const field of Object.keys(com)) opened.push(open?.(entry.seq, field)?.value ?? '')
    }
  }
  return { ...verifier.end(head), opened }
}

async function idOf(database: TestDatabase, did: string): Promise<number> {
  const [row] = await database.owner<{ id: number }[]>`select id from account where did = ${did}`
  return row?.id ?? 0
}

const erase = (home: Machine, did: string) =>
  home.run(['account', 'erase', did, '--basis', 'request', '--yes'])

const restoring = (file: string) => [file, '--identity', identityFile]

/** `whole`: the table of keys is in the backup, as in one of the files of Postgres; else it is left out, as by pg_dump. */
for (const whole of [false, true]) {
  test(`a backup ${whole ? 'with' : 'without'} the keys, restored after an erasure: what was erased does not open and goes again`, async (t) => {
    const home = await seeded(t)
    if (whole) await home.run(['backup', 'rotate'])
    const backup = await copyDatabase(t, home.database)
    if (!whole) await backup.owner`delete from account_key`

    // A year goes by: Carol came, Alice and Carol were erased.
    await see(home.database, { text: 'one', rkey: '3', did: carol, mode: 'observe' })
    await enterOn(home)
    for (const did of [alice, carol]) assert.equal((await erase(home, did)).code, 0)
    await enterOn(home)
    if (whole) await home.run(['backup', 'rotate'])
    const file = join(home.dir, 'keys.age')
    const written = await home.run(['backup', 'keys', file, '--json'])
    assert.deepEqual(written.json(), { file, keys: 1, erasures: 2, unopened: 0 })
    const { erasures } = await openBackup(await readFile(file), identity)
    for (const { account, entry } of erasures) {
      const [row] = await home.database.owner<{ bytes: Buffer }[]>`
        select bytes from ledger_entry where seq = ${entry}`
      const document = JSON.parse(String(row?.bytes)) as { type: string; pub: { account: number } }
      assert.deepEqual([document.type, document.pub.account], ['account.erased', account])
    }

    // A new machine has the data key, the old backup and today's file, not the old key set.
    const restored = await machine(t, backup)
    assert.ok((await whereNamed(backup.owner, alice)).length > 0, 'the backup still names her')
    // Whoever forgets the keys is told before anything is made anew.
    await see(backup, { text: 'one', rkey: '8', did: bob, mode: 'observe' })
    await assert.rejects(enterOn(restored), whole ? /key set .* does not have/ : /restore keys/)
    const before = await read(restored)
    assert.ok(!before.opened.some((value) => value.includes(alice) || value.includes(bob)))
    const check = await restored.run(['restore', 'check', ...restoring(file)])
    assert.equal(check.code, 1)
    assert.match(check.out, /1 erased account back in the database/)
    assert.match(check.out, /1 key missing/)

    const first = await restored.run(['restore', 'keys', ...restoring(file), '--json'])
    assert.equal(first.code, 0, first.err)
    const told = first.json() as { put: number; erasures: Record<string, number> }
    assert.deepEqual(
      [told.put, told.erasures],
      [1, { erased: 1, waiting: 0, known: 0, unknown: 1, other: 0 }],
    )
    await enterOn(restored)
    const after = await read(restored)
    assert.deepEqual(after.faults, [])
    assert.ok(
      after.opened.some((value) => value.includes(bob)),
      'what was not erased opens',
    )
    assert.ok(!after.opened.some((value) => value.includes(alice)))
    assert.deepEqual(await whereNamed(backup.owner, alice), [])

    const again = await restored.run(['restore', 'keys', ...restoring(file), '--json'])
    const second = again.json() as { put: number; dropped: number; erasures: object }
    assert.deepEqual(
      [second.put, second.dropped, second.erasures],
      [0, 0, { erased: 0, waiting: 0, known: 1, unknown: 1, other: 0 }],
    )
    const size = (await read(restored)).entries
    await enterOn(restored)
    assert.equal((await read(restored)).entries, size, 'the second run wrote nothing')
    assert.equal((await restored.run(['restore', 'check', ...restoring(file)])).code, 0)

    // Who comes now gets a number that no erasure of the file means.
    await see(backup, { text: 'one', rkey: '9', did: dave, mode: 'observe' })
    await enterOn(restored)
    await restored.run(['restore', 'keys', ...restoring(file)])
    assert.ok((await idOf(backup, dave)) > (await idOf(home.database, bob)) + 1)
    assert.ok((await read(restored)).opened.some((value) => value.includes(dave)))
    assert.deepEqual((await read(restored)).faults, [])
  })
}

test('the data key opens nothing of an erased account in a backup that a rotation came after', async (t) => {
  const home = await seeded(t)
  await home.run(['backup', 'rotate'])
  const backup = await copyDatabase(t, home.database)
  const old = await readFile(keySetFile(home.dir), 'utf8')
  const account = await idOf(backup, alice)
  const opens = async (dir: string) => {
    const dataKey = createDataKey(testDataKey, () => readKeySets(dir))
    return (await openAccountKeys(backup.app, dataKey, [account])).size === 1
  }
  assert.equal(await opens(home.dir), true, 'until then it opens')
  await home.run(['backup', 'rotate'])
  assert.equal(await opens(home.dir), false)
  assert.ok(!(await readFile(keySetFile(home.dir), 'utf8')).includes(old.trim()))
  assert.equal((await stat(keySetFile(home.dir))).mode & 0o777, 0o600)
  const { opened } = await read(home)
  assert.ok(
    opened.some((value) => value.includes(alice)),
    'and what is in use opens as before',
  )
})

test('a service that started before the keys were restored: a new account with an erased number is left alone', async (t) => {
  const home = await seeded(t)
  const backup = await copyDatabase(t, home.database)
  await see(home.database, { text: 'one', rkey: '3', did: carol, mode: 'observe' })
  await enterOn(home)
  await erase(home, carol)
  const file = join(home.dir, 'keys.age')
  await home.run(['backup', 'keys', file])
  const restored = await machine(t, backup)
  await see(backup, { text: 'one', rkey: '4', did: dave, mode: 'observe' })
  assert.equal(await idOf(backup, dave), 3, 'the number that was Carol')
  await enterOn(restored)
  const ran = await restored.run(['restore', 'keys', ...restoring(file), '--json'])
  assert.equal((ran.json() as { erasures: { other: number } }).erasures.other, 1)
  assert.equal(await idOf(backup, dave), 3)
  assert.ok((await read(restored)).opened.some((value) => value.includes(dave)))
  assert.equal((await restored.run(['restore', 'check', ...restoring(file)])).code, 0)
})

test('an erasure that a legal hold of the restored database stands against waits, and is told', async (t) => {
  const home = await seeded(t)
  await home.run(['legal-hold', 'add', '--account', alice, '--reason', 'x'])
  await enterOn(home)
  const backup = await copyDatabase(t, home.database)
  await home.run(['legal-hold', 'lift', '1', '--reason', 'x'])
  await enterOn(home)
  await erase(home, alice)
  const file = join(home.dir, 'keys.age')
  await home.run(['backup', 'keys', file])
  const restored = await machine(t, backup)
  const { out, code } = await restored.run(['restore', 'keys', ...restoring(file)])
  assert.equal(code, 0)
  assert.match(out, /waits: a legal hold stands in this database/)
  assert.equal((await restored.run(['restore', 'check', ...restoring(file)])).code, 1)
})

test('backup keys writes only for its recipients, no DID, never over another file, and says so in the ledger', async (t) => {
  const home = await seeded(t)
  const file = join(home.dir, 'keys.age')
  assert.equal((await home.run(['backup', 'keys', file])).code, 0)
  const bytes = await readFile(file)
  assert.match(bytes.toString('latin1'), /^age-encryption\.org\/v1\n/)
  assert.equal((await stat(file)).mode & 0o777, 0o600)
  const again = await home.run(['backup', 'keys', file])
  assert.equal(again.code, 2)
  assert.match(again.err, /is there such a file already/)
  assert.deepEqual(await readFile(file), bytes)
  const backup = await openBackup(bytes, identity)
  assert.equal(backup.keys.length, 2)
  assert.ok(!JSON.stringify(backup).includes('did:'))
  await enterOn(home)
  assert.match((await home.run(['ledger', 'log', '--json'])).out, /account-keys\.backed-up/)
  for (const [value, said] of [
    ['', /BLOBWATCH_BACKUP_RECIPIENTS is not set/],
    ['age1nonsense', /list of age recipients/],
    [`age1${'q'.repeat(58)}`, /recipient that age does not know/],
  ] as const) {
    const { code, err } = await home.run(['backup', 'keys', join(home.dir, 'x.age')], {
      env: { BLOBWATCH_BACKUP_RECIPIENTS: value },
    })
    assert.equal(code, 2)
    assert.match(err, said)
    await assert.rejects(stat(join(home.dir, 'x.age')), { code: 'ENOENT' })
  }
})

test('refuses a file that is cut, of another identity, of another deployment or no key set at all', async (t) => {
  const home = await seeded(t)
  const file = join(home.dir, 'keys.age')
  await home.run(['backup', 'keys', file])
  const cut = join(home.dir, 'cut.age')
  await writeFile(cut, (await readFile(file)).subarray(0, -20))
  const rubbish = join(home.dir, 'rubbish.age')
  await writeFile(rubbish, 'not an age file')
  const other = join(home.dir, 'other.txt')
  await writeFile(other, await generateIdentity())
  const broken = join(home.dir, 'broken.txt')
  await writeFile(broken, 'AGE-SECRET-KEY-1SECRETNONSENSE')
  for (const [words, said] of [
    [[cut, '--identity', identityFile], /does not open/],
    [[rubbish, '--identity', identityFile], /does not open/],
    [[file, '--identity', other], /does not open/],
    [[file, '--identity', broken], /does not open/],
    [[file, '--identity', '/nowhere'], /--identity cannot be read/],
    [['/nowhere', '--identity', identityFile], /cannot be read/],
    [[file], /--identity/],
  ] as const)
    for (const verb of ['keys', 'check']) {
      const { code, err } = await home.run(['restore', verb, ...words])
      assert.equal(code, 2)
      assert.match(err, said)
      assert.ok(!err.includes('NONSENSE'), 'an identity is never said again')
    }
  await home.database.owner`update deployment set id = 'another'`
  const strange = await home.run(['restore', 'keys', ...restoring(file)])
  assert.equal(strange.code, 2)
  assert.match(strange.err, /another deployment/)
})

test('restore keys refuses while a service leads the ledger', async (t) => {
  const home = await seeded(t)
  const file = join(home.dir, 'keys.age')
  await home.run(['backup', 'keys', file])
  await using session = await openSession(home.database.appAddress, {
    applicationName: 'test',
    log: silentLog,
  })
  await session.sql`select pg_advisory_lock(${lockKeys.ledger})`
  const { code, err } = await home.run(['restore', 'keys', ...restoring(file)])
  assert.equal(code, 2)
  assert.match(err, /a service runs on this database/)
})

for (const point of ['key-set:before', 'key-set:moved', 'key-set:resealed']) {
  test(`a rotation killed at ${point} loses no key, and the next one finishes`, async (t) => {
    const home = await seeded(t)
    await home.run(['backup', 'rotate'])
    const main = join(import.meta.dirname, '..', 'main.ts')
    const child = spawn(process.execPath, [main, 'backup', 'rotate'], {
      env: { ...home.env, BLOBWATCH_CRASH_POINT: point },
      stdio: 'ignore',
    })
    assert.deepEqual(await once(child, 'exit'), [null, 'SIGKILL'])
    assert.equal(readKeySets(home.dir).length, 2)
    const { opened, faults } = await read(home)
    assert.deepEqual(faults, [])
    assert.ok([alice, bob].every((did) => opened.some((value) => value.includes(did))))
    await see(home.database, { text: 'one', rkey: '5', did: carol, mode: 'observe' })
    await enterOn(home)
    const { code } = await home.run(['backup', 'rotate'])
    assert.equal(code, 0)
    assert.equal(readKeySets(home.dir).length, 1)
    const after = await read(home)
    assert.ok([alice, bob, carol].every((did) => after.opened.some((value) => value.includes(did))))
  })
}

test('two rotations at once: one is refused, and no key is lost', async (t) => {
  const home = await seeded(t)
  const ran = await Promise.all([1, 2, 3].map(() => home.run(['backup', 'rotate'])))
  assert.ok(ran.some(({ code }) => code === 0))
  for (const { code, err } of ran) if (code !== 0) assert.match(err, /rotated by another command/)
  const { opened } = await read(home)
  assert.ok([alice, bob].every((did) => opened.some((value) => value.includes(did))))
})
