import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBanks } from '../banks/bank-loader-head.ts'
import type { Bank, BankPolicy, Mode } from '../domain/bank.ts'
import { alice, bob, carol, createWorld, pdqOfBytes } from '../testing/world.ts'
import type { Seen, World } from '../testing/world.ts'
import { bankHits } from './bank-hits.ts'
import { replayPolicy } from './policy-replay.ts'
import { withBits } from './seen-in-test.ts'

type Setting = { mode?: Mode; policy?: Partial<BankPolicy> }

const seen: Seen[] = [
  { did: alice, bytes: 'exact', rkey: 'a' },
  { did: bob, bytes: 'exact', rkey: 'b' },
  { did: alice, bytes: 'near~1', rkey: 'c' },
  { did: bob, bytes: 'near~2', rkey: 'self' },
  { did: carol, bytes: 'far', rkey: 'd' },
  { did: carol, bytes: 'far' },
  { did: carol, bytes: 'shared', rkey: 'e' },
  { did: carol, bytes: 'nothing', rkey: 'f' },
]
const flips = (n: number) => Array.from({ length: n }, (_, bit) => bit * 3)

/** What happened in a world where the bank was so from the beginning. */
async function happened(
  context: { after(clean: () => Promise<void>): void },
  setting: Setting,
): Promise<World> {
  const world = await createWorld(context)
  await world.bank('TRIED', { mode: setting.mode ?? 'act' })
  await world.bank('OTHER', { mode: 'hold', class: 'open' })
  await world.content('TRIED', 'exact')
  await world.content('TRIED', 'shared')
  await world.content('TRIED', [{ type: 'pdq', value: withBits(pdqOfBytes('near'), flips(12)) }])
  await world.content('TRIED', [{ type: 'pdq', value: withBits(pdqOfBytes('far'), flips(36)) }])
  await world.content('OTHER', 'shared')
  await world.content('OTHER', [{ type: 'pdq', value: pdqOfBytes('near') }])
  // Last: what a bank of harmless pictures has would not be let into the other.
  if (setting.policy !== undefined) await world.changePolicy('TRIED', setting.policy)
  await world.sight(seen)
  await world.scanDue()
  return world
}

async function recorded({ db }: World) {
  const count = async (outcome: string) => {
    const [row] = await db<{ blobs: number; accounts: number; wants: number }[]>`
      select count(distinct blob_cid) as blobs, count(distinct account) as accounts from decision where outcome = ${outcome}`
    return row
  }
  const actions = async (state: string) => {
    const rows = await db<{ kind: string; n: number }[]>`
      select kind, count(*) as n from action where state = ${state} group by kind order by kind`
    return Object.fromEntries(rows.map(({ kind, n }) => [kind, n]))
  }
  const [matched] = await db<{ blobs: number }[]>`
    select count(distinct blob_cid) as blobs from match where set_aside is null`
  return {
    matched: matched?.blobs,
    observed: (await count('observed'))?.blobs,
    held: (await count('held'))?.blobs,
    acted: (await count('acted'))?.blobs,
    accountsHeld: (await count('held'))?.accounts,
    accountsActed: (await count('acted'))?.accounts,
    actions: { acted: await actions('planned'), held: await actions('held') },
  }
}

for (const [name, setting] of Object.entries<Setting>({
  'a narrower distance': { policy: { pdqDistanceMax: 5 } },
  'a wider distance': { policy: { pdqDistanceMax: 40 } },
  'a bank that acts on what looks alike': { policy: { perceptual: 'act' } },
  'a bank that leaves digests to a person': { policy: { exact: 'hold' } },
  'a bank that only observes': { mode: 'observe' },
  'a share of blobs': { policy: { ratio: 0.5, ratioSeed: 'x' } },
  'a bank of harmless pictures': { policy: { suppresses: 'all' } },
})) {
  test(`${name}: the dry run says what would have happened`, async (t) => {
    const world = await happened(t, {})
    const now = await readBanks(world.db)
    const bank = [...now.values()].find((one) => one.name === 'TRIED') as Bank
    const changed: Bank = {
      ...bank,
      ...(setting.mode && { mode: setting.mode }),
      policy: {
        ...bank.policy,
        ...setting.policy,
        ...(setting.policy?.suppresses && { actions: [], preserve: false }),
      },
    }
    const { pdqDistanceMax } = changed.policy
    const wider = pdqDistanceMax > bank.policy.pdqDistanceMax
    const replay = await replayPolicy({
      db: world.db,
      now,
      then: new Map(now).set(bank.id, changed),
      extra: wider ? await bankHits({ db: world.db, bank: bank.id, pdqDistanceMax }) : new Map(),
      situation: { deploymentMode: 'act', canLabel: true, canPreserve: false, administered: true },
      since: new Date(world.clock() - 1000),
      actionsPerContent: 50,
      nowMs: world.clock(),
    })
    const { setAside: _, days, floods, ...as } = replay.now
    assert.deepEqual(as, await recorded(world))
    assert.equal(floods, 0)
    assert.deepEqual(days, [{ day: '2026-11-21', actions: 6 }])
    const { setAside: __, days: ___, floods: ____, ...would } = replay.then
    assert.deepEqual(would, await recorded(await happened(t, setting)))
  })
}

test('a bank of harmless pictures tried as an ordinary one is compared again', async (t) => {
  const world = await happened(t, { policy: { suppresses: 'all', actions: [] } })
  const now = await readBanks(world.db)
  const bank = [...now.values()].find((one) => one.name === 'TRIED') as Bank
  const { suppresses: _, ...policy } = bank.policy
  const changed: Bank = {
    ...bank,
    policy: { ...policy, actions: ['takedown-blob', 'takedown-record'] },
  }
  const replay = await replayPolicy({
    db: world.db,
    now,
    then: new Map(now).set(bank.id, changed),
    extra: await bankHits({ db: world.db, bank: bank.id, pdqDistanceMax: 31 }),
    situation: { deploymentMode: 'act', canLabel: true, canPreserve: false, administered: true },
    since: new Date(world.clock() - 1000),
    actionsPerContent: 1,
    nowMs: world.clock(),
  })
  assert.equal(replay.now.acted, 0)
  assert.equal(replay.now.setAside, 3)
  assert.equal(replay.then.floods, 2)
  const { setAside: __, days: ___, floods: ____, ...would } = replay.then
  assert.deepEqual(would, await recorded(await happened(t, {})))
})
