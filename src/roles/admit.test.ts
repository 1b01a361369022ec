import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bankNamed } from '../banks/bank-store.ts'
import { benignHashes } from '../banks/benign-hashes.ts'
import type { NewSignal } from '../banks/new-signal.ts'
import { decideProposal, listProposals } from '../banks/proposals.ts'
import { principalId } from '../steps/withdraw.ts'
import { alice, createWorld, didOf, digestOfBytes, pdqOfBytes } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import { admit, examine } from './admit.ts'
import type { AdmissionSettings } from './admit.ts'

const settings: AdmissionSettings = {
  keepDays: 30,
  limits: {
    takedownsPerDay: 24,
    labelsPerDay: 24,
    actionsPerContent: 50,
    floodBlobs: 1000,
    floodAccounts: 1000,
    floodFactor: 5,
  },
  admission: { secondPersonAccounts: 150, importAddsPercent: 20, importDeletesPercent: 5 },
  pdsRequestsPerSecond: 50,
}
const hourMs = 3_600_000
const pdqOf = (text: string): NewSignal[] => [{ type: 'pdq', value: pdqOfBytes(text), quality: 90 }]

async function seen(world: World, accounts: number): Promise<void> {
  await world.sight(
    Array.from({ length: accounts }, (_, n) => ({
      did: didOf(n),
      bytes: `one~${n % 3}`,
      rkey: `r${n}`,
    })),
  )
  await world.settle()
}

async function look(world: World, bank: string, ...contents: NewSignal[][]) {
  return examine({
    db: world.db,
    bank: await bankNamed(world.db, bank),
    contents,
    others: noOtherTypes,
    settings,
    nowMs: world.clock(),
  })
}

async function bring(world: World, bank: string, signals: NewSignal[], typedAccounts?: number) {
  const examined = await look(world, bank, signals)
  const [content] = examined.contents
  assert.ok(content)
  return admit({
    db: world.db,
    bank: await bankNamed(world.db, bank),
    examined,
    content,
    others: noOtherTypes,
    settings,
    typedAccounts,
    principal: world.principal,
    nowMs: world.clock(),
  })
}

test('a content is compared with what was seen: blobs, sightings, accounts, oldest, actions and hours', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await seen(world, 12)
  const { total, comparedBlobs, actions, needsCount } = await look(world, 'BAD', pdqOf('one'))
  assert.deepEqual([comparedBlobs, total.blobs, total.sightings, total.accounts], [3, 3, 12, 12])
  assert.ok(total.oldest)
  assert.deepEqual([actions.labels, needsCount], [0, false])
  assert.equal(actions.takedowns, 24)
  assert.equal(actions.hours, 24)
  assert.equal(actions.hoursToUndo, 1)
})

test('what matches few goes live, and its entry has the counts', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await seen(world, 5)
  assert.deepEqual(await bring(world, 'BAD', pdqOf('one')), { kind: 'added', content: 1 })
  await world.sequence()
  const entry = (await world.ledger()).documents.find(({ type }) => type === 'content.add')
  const admission = entry?.pub['admission'] as
    { verdict: string; result: { seen: Record<string, unknown> } } | undefined
  const seenFacts = admission?.result.seen
  assert.equal(admission?.verdict, 'passed')
  assert.deepEqual([seenFacts?.['accounts'], seenFacts?.['blobs'], seenFacts?.['days']], [5, 3, 30])
})

test('above a hundred accounts their number is typed, and nothing happens before', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await seen(world, 101)
  assert.deepEqual(await bring(world, 'BAD', pdqOf('one')), { kind: 'needs-count', accounts: 101 })
  assert.equal((await bring(world, 'BAD', pdqOf('one'), 100)).kind, 'needs-count')
  const [none] = await world.db`select count(*) as count from admission`
  assert.equal(none?.['count'], 0)
  assert.equal((await bring(world, 'BAD', pdqOf('one'), 101)).kind, 'added')
})

test('above the set number a second person approves, once', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await seen(world, 151)
  const dana = await principalId(world.db, { kind: 'person', name: 'dana', nowMs: world.clock() })
  const asked = await bring(world, 'BAD', pdqOf('one'), 151)
  assert.deepEqual(asked, { kind: 'proposed', proposal: 1, aloneUntil: null, why: ['accounts'] })
  assert.deepEqual(await bring(world, 'BAD', pdqOf('one'), 151), asked)

  const decide = (principal: number, verb: 'approve' | 'reject' = 'approve') =>
    decideProposal(world.db, { proposal: 1, verb, principal, nowMs: world.clock() })
  await assert.rejects(decide(world.principal), /your own: another person approves it/)
  const service = await principalId(world.db, {
    kind: 'service',
    name: 'api',
    nowMs: world.clock(),
  })
  await assert.rejects(decide(service), /only a person/)
  world.advance(5 * hourMs)
  const done = await decide(dana)
  assert.deepEqual([done.content, done.secondPerson, done.changed], [1, true, true])
  assert.deepEqual(await decide(dana), { ...done, changed: false })
  await assert.rejects(decide(dana, 'reject'), /is approved already/)
  const [row] = await world.db`select count(*) as count from bank_content`
  assert.equal(row?.['count'], 1)

  await world.sequence()
  const { documents } = await world.ledger()
  const approved = documents.find(({ type }) => type === 'proposal.approved')
  assert.deepEqual([approved?.pub['secondPerson'], approved?.pub['waitedHours']], [true, 5])
  assert.equal(documents.find(({ type }) => type === 'content.add')?.pub['proposal'], 1)
})

test('where one person is registered that person may approve a day later, and the ledger says so', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await seen(world, 151)
  const asked = await bring(world, 'BAD', pdqOf('one'), 151)
  assert.equal(asked.kind, 'proposed')
  const approve = () =>
    decideProposal(world.db, {
      proposal: 1,
      verb: 'approve',
      principal: world.principal,
      nowMs: world.clock(),
    })
  world.advance(24 * hourMs - 1)
  await assert.rejects(
    approve(),
    /nobody else is registered, so you may approve it yourself from 2026-11-22 12:00Z on/,
  )
  world.advance(1)
  assert.deepEqual([(await approve()).secondPerson, (await approve()).changed], [false, false])
  await world.sequence()
  const { documents } = await world.ledger()
  const { pub } = documents.find(({ type }) => type === 'proposal.approved') ?? {}
  assert.deepEqual([pub?.['secondPerson'], pub?.['waitedHours']], [false, 24])
})

test('what a harmless picture would match waits for a second person, and a rejected proposal adds nothing', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const [harmless] = benignHashes
  const signals: NewSignal[] = [{ type: 'pdq', value: harmless!.pdq }]
  const { contents } = await look(world, 'BAD', signals)
  assert.deepEqual(contents[0]?.harmless, { what: harmless!.name, distance: 0 })
  const asked = await bring(world, 'BAD', signals)
  assert.deepEqual(asked.kind === 'proposed' && asked.why, ['harmless'])
  const { principal } = world
  await decideProposal(world.db, { proposal: 1, verb: 'reject', principal, nowMs: world.clock() })
  const [row] = await listProposals(world.db, { state: 'all', limit: 10, offset: 0 })
  assert.deepEqual([row?.state, row?.reason, row?.by], ['rejected', 'harmless', 'erin'])
  assert.ok(!JSON.stringify(row).includes(harmless!.pdq))
  const [none] = await world.db`select count(*) as count from bank_content`
  assert.equal(none?.['count'], 0)
})

test('a bank of harmless pictures may hold them', async (t) => {
  const world = await createWorld(t)
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  const signals: NewSignal[] = [{ type: 'pdq', value: benignHashes[0]!.pdq }]
  assert.equal((await bring(world, 'HARMLESS', signals)).kind, 'added')
})

test('a content of which no signal is left is refused and recorded; of others the rest goes in', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  const zeros: NewSignal = { type: 'pdq', value: '0'.repeat(64) }
  const refused = await bring(world, 'BAD', [zeros])
  assert.deepEqual(refused, { kind: 'refused', why: ['signals'] })
  const [row] = await world.db<{ verdict: string; refused: object }[]>`
    select verdict, result->'refused' as refused from admission`
  assert.deepEqual(row, { verdict: 'refused', refused: { constant: 1 } })
  const rest = await bring(world, 'BAD', [zeros, { type: 'sha256', value: digestOfBytes('x') }])
  assert.equal(rest.kind, 'added')
  const [signals] = await world.db`select count(*) as count from bank_signal`
  assert.equal(signals?.['count'], 1)
})

test('what an approved content matched before is one held case', async (t) => {
  const world = await createWorld(t)
  await world.bank('BAD')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await bring(world, 'BAD', pdqOf('one'))
  await world.refreshBanks()
  await world.settle()
  const rows = await world.db<{ outcome: string; reason: string }[]>`
    select outcome, reason from decision`
  assert.deepEqual([...rows], [{ outcome: 'held', reason: 'retroactive' }])
})
