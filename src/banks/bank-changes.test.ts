import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { callStep } from '../db/client.ts'
import { profileProblem } from '../ledger/entry.ts'
import { createBanks, sha256Of, startMs } from './bank-in-test.ts'
import type { Banks } from './bank-in-test.ts'
import { recordAdmission } from './admission-store.ts'
import type { Verdict } from './admission.ts'
import { distanceWarning, parsePolicy } from './bank-policy.ts'
import type { PolicyInput } from './bank-policy.ts'
import {
  addContent,
  bankNamed,
  moveContent,
  removeContent,
  setBank,
  setContent,
} from './bank-store.ts'
import { listContents } from './bank-contents.ts'
import { policyDefaults } from '../domain/bank.ts'

const one = [{ type: 'sha256' as const, value: sha256Of('one') }]
const two = [{ type: 'sha256' as const, value: sha256Of('two') }]

async function change(banks: Banks, name: string, policy: Partial<PolicyInput>): Promise<void> {
  const { db, principal } = banks
  const { version: _, ...before } = (await bankNamed(db, name)).policy
  await setBank(db, { name, policy: { ...before, ...policy }, principal, nowMs: startMs })
}

describe('a policy', () => {
  const parse = (policy: Partial<PolicyInput>, bank?: number) =>
    parsePolicy({ ...policyDefaults, ...policy }, 'open', bank)

  test('has distances within their bounds, a share from 0 to 1, and a seed', () => {
    assert.equal(parse({ pdqDistanceMax: 64, clipDistanceMax: 128, ratio: 0 }).pdqDistanceMax, 64)
    for (const wrong of [
      { pdqDistanceMax: 65 },
      { pdqDistanceMax: -1 },
      { pdqDistanceMax: 1.5 },
      { clipDistanceMax: 129 },
      { ratio: 1.1 },
      { ratio: Number.NaN },
      { ratioSeed: 'x'.repeat(101) },
      { suppresses: [] },
      { suppresses: [0] },
    ])
      assert.throws(() => parse(wrong), { name: 'UsageError' }, JSON.stringify(wrong))
  })

  test('of a negative bank asks for nothing, and none suppresses itself', () => {
    const policy = parse({ suppresses: 'all', label: 'spam', preserve: true })
    assert.deepEqual([policy.actions, policy.label, policy.preserve], [[], undefined, false])
    assert.throws(() => parse({ suppresses: [3, 7] }, 7), /cannot suppress itself/)
  })

  test('warns over 31 that it is slower, and over 40 that strangers match', () => {
    assert.equal(distanceWarning(31), undefined)
    assert.match(distanceWarning(32) ?? '', /searched by a scan/)
    assert.doesNotMatch(distanceWarning(40) ?? '', /nothing in common/)
    assert.match(distanceWarning(41) ?? '', /nothing in common/)
  })
})

describe('a change of policy', () => {
  test('starts a pass when it lets more match, and none when it lets less', async (t) => {
    const banks = await createBanks(t)
    const bank = await banks.bank('BAD', { policy: { pdqDistanceMax: 10, clipDistanceMax: 10 } })
    let passes = 0
    const starts = async (policy: Partial<PolicyInput>, expected: boolean) => {
      await change(banks, 'BAD', policy)
      passes += expected ? 1 : 0
      const now = await banks.passes()
      assert.equal(now.length, passes, JSON.stringify(policy))
      if (expected) assert.deepEqual(now.at(-1), { bank })
    }
    await starts({ pdqDistanceMax: 11 }, true)
    await starts({ pdqDistanceMax: 9 }, false)
    await starts({ clipDistanceMax: 20 }, true)
    await starts({ ratio: 0.25 }, false)
    await starts({ ratioSeed: 'autumn' }, true)
    await starts({ ratio: 0.5 }, true)
    await starts({ ratio: 1 }, true)
    await starts({ ratioSeed: 'winter' }, false)
    await starts({ perceptual: 'act' }, false)
  })

  test('of a negative bank looks at those again that it suppresses or suppressed', async (t) => {
    const banks = await createBanks(t)
    const bad = await banks.bank('BAD')
    const spam = await banks.bank('SPAM')
    const harmless = await banks.bank('HARMLESS')
    const last = async (policy: Partial<PolicyInput>) => {
      await change(banks, 'HARMLESS', policy)
      return (await banks.passes()).at(-1)
    }
    assert.deepEqual(await last({ suppresses: [bad] }), { bank: bad })
    assert.deepEqual(await last({ pdqDistanceMax: 20 }), { bank: bad })
    assert.deepEqual(await last({ suppresses: [bad, spam] }), { banks: [bad, spam] })
    assert.deepEqual(await last({ suppresses: [spam] }), { banks: [bad, spam] })
    assert.deepEqual(await last({ suppresses: 'all' }), { all: true })
    const {
      version: _,
      suppresses: __,
      ...ordinary
    } = (await bankNamed(banks.db, 'HARMLESS')).policy
    const { db, principal } = banks
    await setBank(db, { name: 'HARMLESS', policy: ordinary, principal, nowMs: startMs })
    assert.deepEqual((await banks.passes()).at(-1), { banks: [bad, spam, harmless] })
    assert.equal((await banks.passes()).length, 6)
  })

  test('is an entry without a fraction and without the seed', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD', { policy: { ratio: 0.25, ratioSeed: 'secret seed' } })
    await change(banks, 'BAD', { ratio: 0.5 })
    const notes = await banks.notes()
    assert.deepEqual(notes.map(({ pub }) => profileProblem(pub)).filter(Boolean), [])
    assert.ok(!JSON.stringify(notes).includes('secret seed'))
    const set = notes.at(-1)?.pub as {
      policy: { ratio: string }
      before: { policy: { ratio: string } }
    }
    assert.deepEqual([set.before.policy.ratio, set.policy.ratio], ['0.25', '0.5'])
  })
})

test('a content of a negative bank starts a pass over all that ever matched, whatever is done to it', async (t) => {
  const banks = await createBanks(t)
  const bad = await banks.bank('BAD')
  await banks.bank('HARMLESS', { policy: { suppresses: [bad] } })
  const { db, principal } = banks
  const content = await banks.content('HARMLESS', one)
  const which = { bank: 'HARMLESS', content, principal, nowMs: startMs }
  await setContent(db, { ...which, change: 'set', disableUntilTs: 0 })
  await setContent(db, { ...which, change: 'set', disableUntilTs: 1 })
  await removeContent(db, which)
  assert.deepEqual(
    await banks.passes(),
    Array.from({ length: 4 }, () => ({ all: true })),
  )
})

describe('an admission', () => {
  async function admission(banks: Banks, verdict: Verdict, signals = one) {
    const { db, principal } = banks
    return recordAdmission(db, {
      bank: 'BAD',
      kind: 'content',
      verdict,
      result: { contents: 1, refused: {}, harmless: 0, seen: null },
      signals,
      principal,
      nowMs: startMs,
    })
  }
  const add = ({ db, principal }: Banks, id: number, signals = one, bank = 'BAD') =>
    addContent(db, { bank, signals, admission: id, principal, nowMs: startMs })

  test('lets one content in, once, however often it is said', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    const id = await admission(banks, 'passed')
    const first = await add(banks, id)
    assert.deepEqual(await add(banks, id), first)
    const [row] = await banks.db`select count(*) as count from bank_content`
    assert.equal(row?.['count'], 1)
    const note = (await banks.notes()).at(-1)
    assert.equal(note?.type, 'content.add')
    assert.deepEqual(note?.pub['admission'], {
      id,
      verdict: 'passed',
      result: { contents: 1, refused: {}, harmless: 0 },
    })
  })

  test('that waits or was refused lets nothing in, nor does one of other signals or another bank', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await banks.bank('OTHER')
    await assert.rejects(
      add(banks, await admission(banks, 'waits')),
      /admission test .* says: waits/,
    )
    await assert.rejects(add(banks, await admission(banks, 'refused')), /says: refused/)
    const passed = await admission(banks, 'passed')
    await assert.rejects(add(banks, passed, two), /its own admission test/)
    await assert.rejects(add(banks, passed, one, 'OTHER'), /its own admission test/)
    await assert.rejects(add(banks, 999), /its own admission test/)
    await assert.rejects(
      callStep(banks.db, 'change_bank_v1', {
        op: 'content.add',
        name: 'BAD',
        signals: one,
        principal: banks.principal,
        now: new Date(startMs),
      }),
      /its own admission test/,
    )
    const [row] = await banks.db`select count(*) as count from bank_content`
    assert.equal(row?.['count'], 0)
  })

  test('is made on the way where a content is added without one, and refuses what says nothing', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await banks.content('BAD', one)
    const [row] = await banks.db<{ verdict: string; seen: null }[]>`
      select verdict, result->'seen' as seen from admission`
    assert.deepEqual(row, { verdict: 'passed', seen: null })
    await assert.rejects(
      banks.content('BAD', [{ type: 'md5', value: 'd41d8cd98f00b204e9800998ecf8427e' }]),
      /refused: the digest of a file without a byte/,
    )
  })
})

describe('a move', () => {
  const move = ({ db, principal }: Banks, content: number, to: string, bank = 'CANDIDATES') =>
    moveContent(db, { bank, content, to, principal, nowMs: startMs })

  test('is a new content with the same signals and words; the old one is gone', async (t) => {
    const banks = await createBanks(t)
    const { db, principal } = banks
    const from = await banks.bank('CANDIDATES')
    const to = await banks.bank('BAD')
    const { content } = await addContent(db, {
      bank: 'CANDIDATES',
      signals: one,
      note: 'advert',
      metadata: { campaign: 7 },
      principal,
      nowMs: startMs,
    })
    const moved = await move(banks, content, 'BAD')
    const all = { withValues: true, limit: 10, offset: 0 }
    assert.equal((await listContents(db, { bank: from, ...all })).length, 0)
    const [row] = await listContents(db, { bank: to, ...all })
    assert.equal(row?.id, moved)
    assert.deepEqual([row?.note, row?.metadata], ['advert', { campaign: 7 }])
    assert.deepEqual(row?.provenance, { bank: from, content })
    assert.deepEqual(row?.signals, one)
    const [old] = await db`select moved_to, removed_at from bank_content where id = ${content}`
    assert.deepEqual([old?.['moved_to'], old?.['removed_at'] !== null], [moved, true])
    assert.deepEqual((await banks.passes()).at(-1), { bank: to, content: moved })
    await assert.rejects(move(banks, content, 'BAD'), /has no content/)
  })

  test('never takes a content where more people may see it', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('CANDIDATES', { confidential: true })
    await banks.bank('SECRET', { confidential: true })
    await banks.bank('BAD')
    await banks.bank('SPAM', { class: 'open' })
    const content = await banks.content('CANDIDATES', one)
    await assert.rejects(move(banks, content, 'BAD'), /only to a confidential bank/)
    const moved = await move(banks, content, 'SECRET')
    assert.ok(moved > content)
    const other = await banks.content('BAD', two)
    await assert.rejects(move(banks, other, 'SPAM', 'BAD'), /only to a restricted bank/)
    await assert.rejects(move(banks, other, 'BAD', 'BAD'), /moves to another bank/)
  })

  test('is no way around the comparison with harmless pictures', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await banks.bank('HARMLESS', { policy: { suppresses: 'all' } })
    await banks.bank('MORE', { policy: { suppresses: 'all' } })
    const content = await banks.content('HARMLESS', one)
    await assert.rejects(move(banks, content, 'BAD', 'HARMLESS'), /where it is tested/)
    assert.ok((await move(banks, content, 'MORE', 'HARMLESS')) > content)
  })
})
