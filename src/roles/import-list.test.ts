import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { createBanks, dayMs, sha256Of, startMs } from '../banks/bank-in-test.ts'
import { bankNamed, moveContent, removeContent, setContent } from '../banks/bank-store.ts'
import { benignHashes } from '../banks/benign-hashes.ts'
import {
  abandonImport,
  applyLines,
  importCounts,
  importLimits,
  openImport,
} from '../banks/import-steps.ts'
import { decideProposal } from '../banks/proposals.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import { admitImport, applyImport, examineImport, stageList } from './import-list.ts'
import type { ImportOptions } from './import-list.ts'
import {
  pdq,
  settings,
  chunksOf,
  listOf,
  upTo,
  importText,
  contents,
  keys,
} from './import-list-in-test.ts'

describe('an import', () => {
  test('brings all items in with their words, starts one pass, and makes the bank observe', async (t) => {
    const banks = await createBanks(t)
    const bank = await banks.bank('BAD', { mode: 'act' })
    const { applied, facts, id } = await importText(
      banks,
      `id,sha256,pdq,quality,note,metadata,disable_until_ts\na,${sha256Of('a')},${pdq},77,"one, two","{""n"": 1}",0\nb,${sha256Of('b')},,,,,\n`,
    )
    assert.deepEqual(applied, { added: 2, removed: 0, unchanged: 0 })
    assert.deepEqual([facts.counts.adds, facts.counts.refused], [2, 0])
    const [a, b] = await contents(banks)
    assert.deepEqual(
      [a?.sourceKey, a?.source, a?.note, a?.metadata, a?.disableUntilTs],
      ['a', 'list', 'one, two', { n: 1 }, 0],
    )
    assert.deepEqual(a?.signals, [
      { type: 'pdq', value: pdq, quality: 77 },
      { type: 'sha256', value: sha256Of('a') },
    ])
    assert.deepEqual([b?.disableUntilTs, b?.note], [1, null])
    assert.deepEqual(await banks.passes(), [{ bank, import: id }])
    assert.equal((await bankNamed(banks.db, 'BAD')).mode, 'observe')
    const types = (await banks.notes()).map((note) => note.type)
    assert.deepEqual(types.slice(-4), ['import.started', 'bank.set', 'import.batch', 'import.done'])
    const [lines] = await banks.db`select count(*) as count from bank_import_line`
    assert.equal(lines?.['count'], 0)
    const text = JSON.stringify(await banks.notes())
    for (const value of [pdq, sha256Of('a')]) assert.ok(!text.includes(value))
  })

  test('of more lines than a batch is several statements, and every line is there once', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    const { applied } = await importText(banks, listOf(upTo(12_345)))
    assert.equal(applied?.added, 12_345)
    const [row] = await banks.db`
      select count(*) as contents, count(distinct source_key) as keys,
        (select count(*) from bank_signal) as signals, (select count(distinct content) from bank_signal) as owners
      from bank_content`
    assert.deepEqual({ ...row }, { contents: 12345, keys: 12345, signals: 12345, owners: 12345 })
    const batches = (await banks.notes()).filter(({ type }) => type === 'import.batch')
    assert.deepEqual(
      batches.map(({ pub }) => pub['added']),
      [5000, 5000, 2345],
    )
  })

  test('of the same list again changes nothing but its words', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await importText(banks, listOf(upTo(10)))
    const before = await contents(banks)
    const { applied, facts } = await importText(
      banks,
      listOf(upTo(10), (id) => (id === 3 ? 'now known as three' : '')),
    )
    assert.deepEqual(applied, { added: 0, removed: 0, unchanged: 10 })
    assert.equal(facts.counts.unchanged, 10)
    const after = await contents(banks)
    assert.equal(after[3]?.note, 'now known as three')
    assert.deepEqual(
      after.map(({ id, signals }) => [id, signals]),
      before.map(({ id, signals }) => [id, signals]),
    )
  })

  test('removes what the list no longer has only when it replaces', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await banks.content('BAD', [{ type: 'sha256', value: sha256Of('by hand') }])
    await importText(banks, listOf(upTo(50)))
    assert.equal((await importText(banks, listOf(upTo(48)))).applied?.removed, 0)
    const { applied } = await importText(banks, listOf(upTo(49, 1)), { replaces: true })
    assert.deepEqual(applied, { added: 0, removed: 1, unchanged: 49 })
    assert.deepEqual(keys(await contents(banks)).slice(0, 2), [null, 'i1'])
    const other = await importText(banks, listOf([900]), { replaces: true, source: 'other' })
    assert.equal(other.applied?.removed, 0)
  })

  test('an item that has other signals now is a new content, and the old one is gone', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await importText(banks, listOf(upTo(10)))
    const text = listOf(upTo(10)).replace(sha256Of('4'), sha256Of('four'))
    const { applied } = await importText(banks, text)
    assert.deepEqual(applied, { added: 1, removed: 1, unchanged: 9 })
    const rows = await contents(banks)
    assert.equal(rows.length, 10)
    const [four] = rows.filter((row) => row.sourceKey === 'i4')
    assert.equal(four?.signals[0]?.value, sha256Of('four'))
  })

  test('does not bring back what a person moved to another bank, but does what was only removed', async (t) => {
    const banks = await createBanks(t)
    const { db, principal } = banks
    await banks.bank('BAD')
    await banks.bank('CONFIRMED')
    await importText(banks, listOf(upTo(20)))
    const [first, second] = await contents(banks)
    const moved = { bank: 'BAD', content: first!.id, to: 'CONFIRMED', principal, nowMs: startMs }
    await moveContent(db, moved)
    await removeContent(db, { bank: 'BAD', content: second!.id, principal, nowMs: startMs })
    const { applied } = await importText(banks, listOf(upTo(20)))
    assert.deepEqual(applied, { added: 1, removed: 0, unchanged: 19 })
    assert.equal((await contents(banks)).length, 19)
  })

  test('leaves disabled what a person disabled, also when the list has other signals for it now', async (t) => {
    const banks = await createBanks(t)
    const { db, principal } = banks
    await banks.bank('BAD')
    await importText(banks, listOf([1, 2]))
    const [first] = await contents(banks)
    await setContent(db, {
      bank: 'BAD',
      content: first!.id,
      change: 'set',
      disableUntilTs: 0,
      principal,
      nowMs: startMs,
    })
    await importText(banks, `id,sha256\ni1,${sha256Of('changed')}\ni2,${sha256Of('2')}\n`)
    const [proposal] = await db<{ id: number }[]>`select id from proposal where state = 'open'`
    const dana = await banks.person('dana')
    await decideProposal(db, {
      proposal: proposal!.id,
      verb: 'approve',
      principal: dana,
      nowMs: startMs,
    })
    await importText(banks, `id,sha256\ni1,${sha256Of('changed')}\ni2,${sha256Of('2')}\n`)
    const after = new Map((await contents(banks)).map((row) => [row.sourceKey, row]))
    assert.equal(after.get('i1')?.signals?.[0]?.value, sha256Of('changed'))
    assert.equal(after.get('i1')?.disableUntilTs, 0)
    assert.equal(after.get('i2')?.disableUntilTs, 1)
  })

  test('takes nothing away whose line it cannot read', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await importText(banks, listOf(upTo(40)))
    const text = [
      'id,sha256,metadata',
      ...upTo(38, 2).map((id) => `i${id},${sha256Of(`${id}`)},`),
      `i1,${sha256Of('1')},[1]`,
      'i0,xyz,',
    ].join('\n')
    const { applied, facts } = await importText(banks, text, { replaces: true })
    assert.deepEqual([facts.counts.refused, applied?.removed], [2, 0])
    assert.equal((await contents(banks)).length, 40)
  })

  test('counts what it leaves out by reason and line, and takes the rest', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    const { facts, applied } = await importText(
      banks,
      [
        'id,sha256,pdq',
        `a,${sha256Of('a')},${'0'.repeat(64)}`,
        'b,xyz,',
        `c,,${benignHashes[0]!.pdq}`,
        `d,${sha256Of('d')},`,
        `d,${sha256Of('e')},`,
        'f,short',
      ].join('\n'),
    )
    assert.deepEqual(applied, { added: 2, removed: 0, unchanged: 0 })
    const seen = facts.refused.map((one) => [
      one.reason,
      one.lineRefused,
      one.count,
      [...one.lines],
    ])
    assert.deepEqual(
      seen.toSorted((x, y) => String(x[0]).localeCompare(String(y[0]))),
      [
        ['bad-signal', true, 1, [3]],
        ['columns', true, 1, [7]],
        ['constant', false, 1, [2]],
        ['harmless', true, 1, [4]],
        ['id-twice', true, 1, [6]],
      ],
    )
    assert.deepEqual(facts.result.refused, { constant: 1 })
    assert.equal(facts.result.harmless, 1)
  })
})

describe('the limits of an import', () => {
  test('from the second import on, too many new items wait for a second person', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await importText(banks, listOf(upTo(100)))
    assert.equal((await importText(banks, listOf(upTo(120)))).applied?.added, 20)
    const { decision, running, id } = await importText(banks, listOf(upTo(150)))
    assert.deepEqual([decision.state, decision.reasons], ['waiting', ['adds']])
    assert.equal((await contents(banks)).length, 120)
    assert.deepEqual(await applyImport(running), { added: 0, removed: 0, unchanged: 0 })

    const dana = await banks.person('dana')
    const approve = {
      proposal: decision.proposal!,
      verb: 'approve' as const,
      principal: dana,
      nowMs: startMs,
    }
    await decideProposal(banks.db, approve)
    assert.equal((await importCounts(banks.db, id)).state, 'applying')
    assert.equal((await decideProposal(banks.db, approve)).changed, false)
    assert.equal((await applyImport(running)).added, 30)
    assert.equal((await contents(banks)).length, 150)
  })

  test('too many removals wait too; alone, a person waits a day; what is rejected is dropped', async (t) => {
    const banks = await createBanks(t)
    const { db, principal } = banks
    await banks.bank('BAD')
    await importText(banks, listOf(upTo(100)))
    const within = await importText(banks, listOf(upTo(95)), { replaces: true })
    assert.equal(within.applied?.removed, 5)
    const { decision, id } = await importText(banks, listOf(upTo(80)), { replaces: true })
    assert.deepEqual([decision.state, decision.reasons], ['waiting', ['deletes']])
    assert.equal(decision.aloneUntil?.getTime(), startMs + dayMs)
    const decide = (verb: 'approve' | 'reject', nowMs: number) =>
      decideProposal(db, { proposal: decision.proposal!, verb, principal, nowMs })
    await assert.rejects(decide('approve', startMs + dayMs - 1), /nobody else is registered/)
    await decide('reject', startMs + dayMs)
    assert.equal((await importCounts(db, id)).state, 'refused')
    assert.equal((await contents(banks)).length, 95)
    const [lines] = await db`select count(*) as count from bank_import_line`
    assert.equal(lines?.['count'], 0)
  })

  test('an empty list that replaces is no small matter', async (t) => {
    const banks = await createBanks(t)
    await banks.bank('BAD')
    await importText(banks, listOf(upTo(10)))
    const { decision } = await importText(banks, 'id,sha256\n', { replaces: true })
    assert.deepEqual([decision.state, decision.reasons], ['waiting', ['deletes']])
  })
})

describe('an open import', () => {
  test('is one a list: another file, or the same with other wishes, is refused until it is dropped', async (t) => {
    const banks = await createBanks(t)
    const { db, principal } = banks
    await banks.bank('BAD')
    const open = (digest: string, replaces = false, source = 'list') =>
      openImport(db, { bank: 'BAD', source, digest, replaces, principal, nowMs: startMs })
    const first = await open('aa'.repeat(32))
    assert.deepEqual([first.resumed, first.state, first.staged], [false, 'staging', 0])
    assert.equal((await open('aa'.repeat(32))).import, first.import)
    await assert.rejects(open('bb'.repeat(32)), /is open since .* --abandon/)
    await assert.rejects(open('aa'.repeat(32), true), /is open since/)
    assert.notEqual((await open('bb'.repeat(32), false, 'other')).import, first.import)
    const dropped = await abandonImport(db, {
      bank: 'BAD',
      source: 'list',
      principal,
      nowMs: startMs,
    })
    assert.equal(dropped.import, first.import)
    assert.equal((await open('bb'.repeat(32))).resumed, false)
  })

  test('of a pipe that broke is begun again', async (t) => {
    const banks = await createBanks(t)
    const { db, principal } = banks
    await banks.bank('BAD')
    const open = () =>
      openImport(db, { bank: 'BAD', source: 'stdin', replaces: false, principal, nowMs: startMs })
    const first = await open()
    const second = await open()
    assert.deepEqual([second.resumed, second.import > first.import], [false, true])
  })

  test('given up half way is looked back for, also when another bank changed meanwhile', async (t) => {
    const banks = await createBanks(t)
    const { db, principal } = banks
    const bad = await banks.bank('BAD')
    const other = await banks.bank('OTHER')
    const ids = upTo(importLimits.applyLines + 1)
    const text = listOf(ids)
    const digest = createHash('sha256').update(text).digest('hex')
    const opened = await openImport(db, {
      bank: 'BAD',
      source: 'list',
      digest,
      replaces: false,
      principal,
      nowMs: startMs,
    })
    const running: ImportOptions = {
      db,
      bank: await bankNamed(db, 'BAD'),
      import: opened.import,
      others: noOtherTypes,
      settings,
      principal,
      clock: () => startMs,
      onProgress: () => undefined,
      signal: new AbortController().signal,
    }
    const chunks = chunksOf(text)
    await stageList(running, { chunks, bytes: text.length, format: 'csv', staged: 0 })
    await admitImport(running, await examineImport(running))
    await applyLines(db, { import: opened.import, from: 0, principal, nowMs: startMs })
    const content = await banks.content('OTHER', [{ type: 'sha256', value: sha256Of('x') }])
    await abandonImport(db, { bank: 'BAD', source: 'list', principal, nowMs: startMs })
    assert.deepEqual(await banks.passes(), [
      { bank: other, content },
      { bank: bad, import: opened.import },
    ])
  })
})
