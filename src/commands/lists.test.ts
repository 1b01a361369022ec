import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { noOtherTypes } from '../domain/other-type.ts'
import { callStep } from '../db/client.ts'
import { emptyBatch } from '../domain/batch.ts'
import { reportUser } from '../steps/report-user.ts'
import { principalId } from '../steps/withdraw.ts'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { cidOfText, digestOfText, see } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)

describe('empty lists', () => {
  test('are sentences', async () => {
    for (const [words, sentence] of [
      [['hold', 'list'], 'Nothing is held, nothing waits, nothing was given up.'],
      [['gaps', 'list'], 'There is no gap: everything the sources offered was seen.'],
      [['unscannable', 'list'], 'Nothing is unscannable.'],
      [['unscannable', 'retry'], 'Nothing to try again: no such unscannable blob.'],
      [['user-report', 'list'], 'No user has reported anything.'],
      [['key', 'list'], 'There is no key: key create NAME --scope scan'],
    ] as const) {
      const { code, out } = await blobwatch([...words])
      assert.equal(code, 0)
      assert.equal(out, sentence)
    }
    assert.match(
      (await blobwatch(['observe', 'report'])).out,
      /^Nothing matched in observe mode since/,
    )
  })
})

describe('unscannable', () => {
  test('lists by reason and tries again', async () => {
    const { cid } = await see(database, {
      text: 'broken',
      rkey: '1',
      mode: 'observe',
      unscannable: 'corrupt',
    })
    const { out } = await blobwatch(['unscannable', 'list'])
    assert.match(out, /corrupt/)
    assert.ok(out.includes(cid))
    const { json } = await blobwatch(['unscannable', 'list', '--reason', 'timeout', '--json'])
    assert.deepEqual((json() as { blobs: unknown[] }).blobs, [])
    assert.match((await blobwatch(['unscannable', 'retry', cid])).out, /^1 blob will be fetched/)
    assert.match((await blobwatch(['show', cid])).out, /open scan +retry/)
  })

  test('refuses an unknown reason and what is no blob CID', async () => {
    assert.equal((await blobwatch(['unscannable', 'list', '--reason', 'bored'])).code, 2)
    assert.equal((await blobwatch(['unscannable', 'retry', 'bafyreib'])).code, 2)
    assert.equal((await blobwatch(['unscannable', 'retry', '--reason', 'unsupported-cid'])).code, 2)
  })
})

describe('gaps', () => {
  test('lists a gap with what its reason means', async () => {
    await callStep(database.app, 'note_resync_v1', {
      did: `did:plc:${'c'.repeat(24)}`,
      host: 'https://pds.test',
      now: new Date(),
    })
    const { out } = await blobwatch(['gaps', 'list'])
    assert.match(out, /open.*repo-resync/)
    assert.match(out, /repo-resync: one account's records were replaced/)
    const { json } = await blobwatch(['gaps', 'list', '--open', '--json'])
    assert.equal((json() as { gaps: unknown[] }).gaps.length, 1)
    assert.equal((await blobwatch(['gaps', 'list', '--page', '0'])).code, 2)
  })
})

describe('observe report', () => {
  test('counts what would have been done and how long the caps would have taken', async () => {
    await blobwatch(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'act'])
    for (const n of [1, 2, 3]) {
      await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText(`advert ${n}`)])
      await see(database, { text: `advert ${n}`, rkey: `a${n}`, mode: 'observe' })
    }
    const env = { BLOBWATCH_TAKEDOWNS_PER_DAY: '2' }
    const { out } = await blobwatch(['observe', 'report', '--since', '1d'], { env })
    assert.match(out, /3 matches in observe mode, 3 blobs, 1 account/)
    assert.match(out, /takedowns: 6 at once, cap 2 in 24 h: 3 days to let them go/)
    const { json } = await blobwatch(['observe', 'report', '--json'])
    const report = json() as { byKind: unknown[]; byDistance: unknown[] }
    assert.deepEqual(report.byKind, [
      { kind: 'takedown-blob', subjects: 3, wouldAct: 3, wouldHold: 0 },
      { kind: 'takedown-record', subjects: 3, wouldAct: 3, wouldHold: 0 },
    ])
    assert.deepEqual(report.byDistance, [{ type: 'sha256', band: '0', blobs: 3, decisions: 3 }])
  })

  test('refuses a span without a unit', async () => {
    const { code, err } = await blobwatch(['observe', 'report', '--since', 'yesterday'])
    assert.equal(code, 2)
    assert.match(err, /--since is a span back from now/)
  })
})

describe('user-report', () => {
  test('lists what users said, on one line each, and about one account', async () => {
    const { app } = database
    const nowMs = Date.now()
    const principal = await principalId(app, { kind: 'service', name: 'appview', nowMs })
    const did = `did:plc:${'d'.repeat(24)}`
    const sighting = { did, blobCid: cidOfText('reported'), source: 'api' as const }
    const said = { contentId: 'post-1', reason: 'not\nnice' }
    const report = { principal, nowMs, others: noOtherTypes, ...said }
    await reportUser(app, {
      ...report,
      id: 'r_1',
      did,
      batch: { ...emptyBatch(), sightings: [sighting] },
    })
    await reportUser(app, { ...report, id: 'r_2', did: undefined, batch: emptyBatch() })
    const { out } = await blobwatch(['user-report', 'list'])
    assert.match(out, /r_1 .*appview .*did:plc:d+ .*post-1 .*not nice/)
    assert.match(out, /r_2 /)
    const { json } = await blobwatch(['user-report', 'list', '--account', did, '--json'])
    const { reports } = json() as { reports: { id: string }[] }
    assert.deepEqual(
      reports.map(({ id }) => id),
      ['r_1'],
    )
  })
})

describe('key', () => {
  test('create prints the key once; list and the ledger never have its secret', async () => {
    const words = ['key', 'create', 'uploader', '--scope', 'scan,match:read', '--expires', '90d']
    const { code, out } = await blobwatch(words)
    assert.equal(code, 0)
    assert.match(out, /^mk_[0-9a-f]{12}_[A-Za-z0-9_-]{43}$/)
    const id = out.slice(3, 15)
    const list = await blobwatch(['key', 'list'])
    assert.match(list.out, new RegExp(`${id}.*uploader.*service.*scan, match:read`))
    assert.ok(!list.out.includes(out.slice(16)))
    const [kept] =
      await database.app`select encode(secret_sha256, 'hex') as hash from api_key where id = ${id}`
    assert.equal(kept?.['hash'], digestOfText(out.slice(16)))
    assert.match(
      (await blobwatch(['key', 'revoke', id])).out,
      /within a second it opens nothing any more/,
    )
    assert.equal((await blobwatch(['key', 'revoke', id])).code, 2)
  })

  test('revoke takes a whole key too, and says nothing of its secret, also where there is none', async () => {
    const { out: key } = await blobwatch(['key', 'create', 'pasted', '--scope', 'scan'])
    const secret = key.slice(16)
    const revoked = await blobwatch(['key', 'revoke', key])
    assert.equal(revoked.code, 0, revoked.err)
    assert.match(revoked.out, new RegExp(`^key ${key.slice(3, 15)} revoked`))
    for (const words of [
      ['key', 'revoke', key],
      ['key', 'revoke', `${key}?`],
      ['reverse', '--key', `mk_000000000000_${secret}`],
    ]) {
      const { code, out, err } = await blobwatch(words)
      assert.equal(code, 2)
      assert.ok(!`${out}${err}`.includes(secret), words.join(' '))
    }
    assert.match((await blobwatch(['key', 'revoke', 'pasted'])).err, /key list shows it/)
  })

  test('list says which keys carry the word of a person', async () => {
    const words = ['key', 'create', 'noor', '--person', '--scope', 'case:read,case:decide']
    assert.equal((await blobwatch(words)).code, 0)
    assert.match((await blobwatch(['key', 'list'])).out, /noor\s+│\s+person\s+│/)
  })

  test('refuses an unknown scope, a missing one, and a name that is a person', async () => {
    assert.equal((await blobwatch(['key', 'create', 'x', '--scope', 'everything'])).code, 2)
    const typo = await blobwatch(['key', 'create', 'x', '--scope', 'scan,match:red'])
    assert.match(typo.err, /--scope: match:red is none of scan, match:read/)
    assert.equal((await blobwatch(['key', 'create', 'x'])).code, 2)
    const { code, err } = await blobwatch(['key', 'create', 'tester', '--scope', 'scan'])
    assert.equal(code, 2)
    assert.match(err, /tester is a person here/)
  })
})

test('a blob that is waiting for its scan is known to show', async () => {
  const unknown = cidOfText('x')
  assert.match((await blobwatch(['show', unknown])).out, /Nothing is known/)
})
