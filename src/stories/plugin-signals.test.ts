// A signal type of somebody else, from the plug-in's process to the case: src/plugins/fixtures/odd-plugin.ts, whose value is
// the last eight hex digits of the bytes' sha256, behind the real walls.
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { OtherType } from '../domain/blob.ts'
import { parseManifest } from '../plugins/manifest.ts'
import type { SignalTypeManifest } from '../plugins/manifest.ts'
import { oddManifest, oddValue } from '../plugins/odd-in-test.ts'
import { createPluginHasher, otherTypesOf } from '../plugins/plugin-hasher.ts'
import { openSignalPlugin } from '../plugins/signal-plugin.ts'
import type { PluginHash, SignalPlugin } from '../plugins/signal-plugin.ts'
import { openPluginParts } from '../service-plugins.ts'
import type { PluginParts } from '../plugins/plugin-host.ts'
import { pipelineLimits } from '../pipeline.ts'
import { trimBlobs } from '../roles/keep-house.ts'
import { examine } from '../roles/admit.ts'
import { bankNamed } from '../banks/bank-store.ts'
import { parseConfig } from '../config.ts'
import { alice, bob, createWorld, textHasher, worldPds } from '../testing/world.ts'
import type { World } from '../testing/world.ts'

const odd = 'odd' as OtherType
const signal = new AbortController().signal

let parts: PluginParts
before(async () => {
  parts = await openPluginParts({ clock: Date.now, warn: () => {} })
})

type Context = Parameters<typeof createWorld>[0] & object

/** A world whose blobs are shown to the plug-in too; what it did not answer is in `failures`. */
async function worldWith(t: Context, behaviour: string, change: object = {}) {
  const plugin = openSignalPlugin(manifestOf(behaviour, change), parts)
  t.after(() => plugin[Symbol.asyncDispose]() as Promise<void>)
  return worldOf(t, plugin)
}

async function worldOf(
  t: Context,
  plugin: Pick<SignalPlugin, 'manifest' | 'hash'>,
): Promise<World & { failures: string[] }> {
  const failures: string[] = []
  const hasher = createPluginHasher({
    hasher: textHasher,
    plugins: [plugin],
    onFailed: ({ name, reason }) => failures.push(`${name} ${reason}`),
  })
  const world = await createWorld(t, { hasher, others: otherTypesOf([plugin.manifest]) })
  return Object.assign(world, { failures })
}

function manifestOf(behaviour: string, change: object = {}): SignalTypeManifest {
  const text = JSON.stringify(oddManifest(behaviour, change))
  return parseManifest(text, '/etc/odd.json') as SignalTypeManifest
}

/** The plug-in's value of a picture, so many bits away. */
function near(bytes: string, bits: number) {
  return [{ type: odd, value: oddValue(bytes, bits) }]
}

async function verdicts(world: World): Promise<string[]> {
  const rows = await world.db<{ verdict: string; reason: string | null }[]>`
    select verdict, reason from blob order by hashed_at, blob_cid`
  return rows.map(({ verdict, reason }) => (reason === null ? verdict : `${verdict} ${reason}`))
}

async function matches(world: World): Promise<string[]> {
  const rows = await world.db<{ content: number; type: string; distance: number }[]>`
    select content, type, distance from match order by signal`
  return rows.map(({ content, type, distance }) => `${content} ${type} ${distance}`)
}

async function decisions(world: World): Promise<string[]> {
  const rows = await world.db<{ outcome: string; reason: string; type: string }[]>`
    select outcome, reason, type from decision order by id`
  return rows.map(({ outcome, reason, type }) => `${outcome} ${reason} ${type}`)
}

async function stored(world: World): Promise<string[]> {
  const rows = await world.db<{ version: string; value: string | null }[]>`
    select version, encode(value, 'hex') as value from blob_other order by blob_cid`
  return rows.map(({ version, value }) => `${version} ${value}`)
}

test('what is near a value of a plug-in is held with its type and distance, though the bank acts on all it can', async (t) => {
  const world = await worldWith(t, 'good')
  await world.bank('BAD', { mode: 'act', policy: { exact: 'act', perceptual: 'act' } })
  const content = await world.content('BAD', near('one', 3))
  await world.content('BAD', near('one', 5))
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.deepEqual(await matches(world), [`${content} odd 3`])
  assert.deepEqual(await decisions(world), ['held plug-in odd'])
  const [{ actions, cases } = {}] = await world.db`
    select (select count(*) from action where state <> 'held') as actions, (select count(*) from case_file) as cases`
  assert.deepEqual([actions, cases], [0, 1])
  assert.deepEqual((await world.ledger()).faults, [])
})

test('an equal value of a plug-in holds too, and a bank of harmless pictures sets another aside', async (t) => {
  const world = await worldWith(t, 'good', { metric: { kind: 'exact' } })
  await world.bank('BAD', { mode: 'act' })
  await world.content('BAD', near('one', 0))
  await world.content('BAD', near('two', 0))
  await world.content('BAD', near('three', 1))
  await world.bank('HARMLESS', { policy: { suppresses: 'all' } })
  await world.content('HARMLESS', near('two', 0))
  await world.sight(['one', 'two', 'three'].map((bytes) => ({ did: alice, bytes, rkey: bytes })))
  await world.settle()
  assert.deepEqual(await decisions(world), ['held plug-in odd'])
  assert.deepEqual((await verdicts(world)).toSorted(), ['clear', 'clear', 'matched'])
  assert.equal((await matches(world)).length, 2)
})

test('a value that is banked later finds the blob that was seen before: one held case, without another fetch', async (t) => {
  const world = await worldWith(t, 'good')
  await world.bank('BAD', { mode: 'act' })
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'two', rkey: 'b' },
  ])
  await world.settle()
  assert.deepEqual(await verdicts(world), ['clear', 'clear'])
  const fetched = world.hosts.fetched.length
  const bank = await bankNamed(world.db, 'BAD')
  const settings = parseConfig({}, () => '')
  const asked = { db: world.db, bank, others: world.pipeline.others, settings }
  const contents = [near('one', 2), near('one', 5)]
  const before = await examine({ ...asked, contents, nowMs: world.clock() })
  assert.deepEqual(
    before.contents.map(({ seen }) => seen.blobs),
    [1, 0],
  )
  const content = await world.content('BAD', near('one', 2))
  await world.settle()
  assert.deepEqual(await matches(world), [`${content} odd 2`])
  assert.deepEqual(await decisions(world), ['held retroactive odd'])
  assert.equal(world.hosts.fetched.length, fetched)
})

test('a value of another version is not compared, and the blob is shown to the plug-in again when it is seen again', async (t) => {
  const world = await worldWith(t, 'good')
  await world.bank('BAD', { mode: 'act' })
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  await world.database.owner`update blob_other set version = '0'`
  const content = await world.content('BAD', near('one', 1))
  await world.settle()
  assert.deepEqual([await matches(world), await verdicts(world)], [[], ['clear']])
  world.advance(1000)
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.deepEqual(await matches(world), [`${content} odd 1`])
  assert.deepEqual(await stored(world), [`1 ${near('one', 0)[0]?.value}`])
})

test('what is stored still matches where the bytes are not to be had for the plug-in, and nothing is clear without it', async (t) => {
  const world = await worldWith(t, 'good')
  await world.bank('BAD', { mode: 'hold' })
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: alice, bytes: 'two', rkey: 'b' },
  ])
  await world.settle()
  await world.database.owner`delete from blob_other`
  const content = await world.content('BAD', [
    { type: 'md5', value: (await hashOf('one')).md5 ?? '' },
  ])
  world.hosts.answer(worldPds, { kind: 'unavailable', host: worldPds, reason: 'refused' })
  await world.sight([{ did: alice, bytes: 'two', rkey: 'c' }])
  await world.settle()
  assert.deepEqual(await matches(world), [`${content} md5 0`])
  assert.deepEqual((await verdicts(world)).toSorted(), ['matched', 'unscannable refused'])
})

test('what an earlier scan said of the bytes stays said where a plug-in cannot see them', async (t) => {
  const world = await worldWith(t, 'good')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const { owner } = world.database
  await owner`update blob set verdict = 'unscannable', reason = 'animated'`
  await owner`delete from blob_other`
  world.hosts.answer(worldPds, { kind: 'unavailable', host: worldPds, reason: 'refused' })
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.equal(world.hosts.fetched.length, 2)
  assert.deepEqual(await verdicts(world), ['unscannable animated'])
})

test('a blob is scanned again when it is seen again where the plug-in of now has not answered about it, and else not', async (t) => {
  let answer: PluginHash = { kind: 'failed', reason: 'refused' }
  const world = await worldOf(t, { manifest: manifestOf('good'), hash: async () => answer })
  let seen = 0
  const see = async () => {
    seen += 1
    world.advance(1000)
    await world.sight([{ did: seen % 2 === 0 ? alice : bob, bytes: 'one', rkey: `r${seen}` }])
    for (let run = 0; run < pipelineLimits.pluginTries; run++) {
      await world.settle()
      world.advance(200_000)
    }
    return `${world.hosts.fetched.length} ${(await verdicts(world)).join()}`
  }
  assert.equal(await see(), '1 unscannable plugin-refused')
  assert.equal(await see(), '1 unscannable plugin-refused')
  await world.database.owner`update blob_other set version = '0'`
  answer = { kind: 'failed', reason: 'timeout' }
  assert.equal(await see(), '6 unscannable plugin-failed')
  answer = { kind: 'none' }
  assert.equal(await see(), '7 clear')
  assert.equal(await see(), '7 clear')
})

test('a plug-in that has no value for a picture leaves it clear, and is not asked again', async (t) => {
  const world = await worldWith(t, 'none')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  const fetched = world.hosts.fetched.length
  await world.sight([{ did: bob, bytes: 'one', rkey: 'b' }])
  await world.settle()
  assert.deepEqual([await verdicts(world), await stored(world)], [['clear'], ['1 null']])
  assert.equal(world.hosts.fetched.length, fetched)
})

test('a plug-in that fails is asked in later runs, then the blob is unscannable with that reason and never clear', async (t) => {
  const world = await worldWith(t, 'crash')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  for (let run = 1; run < pipelineLimits.pluginTries; run++) {
    await world.settle()
    assert.deepEqual([await verdicts(world), world.failures.length], [[], run])
    world.advance(200_000)
  }
  await world.settle()
  assert.deepEqual(await verdicts(world), ['unscannable plugin-failed'])
  assert.equal(world.failures.length, pipelineLimits.pluginTries)
})

test('a file that a plug-in refuses is unscannable for that, and what other signals match still counts', async (t) => {
  const world = await worldWith(t, 'refuses')
  await world.bank('BAD', { mode: 'act' })
  const content = await world.content('BAD', 'one')
  await world.sight([
    { did: alice, bytes: 'one', rkey: 'a' },
    { did: bob, bytes: 'two', rkey: 'b' },
  ])
  await world.settle()
  assert.deepEqual(await matches(world), [`${content} sha256 0`])
  assert.deepEqual(await decisions(world), ['acted exact sha256'])
  assert.deepEqual((await verdicts(world)).toSorted(), ['matched', 'unscannable plugin-refused'])
})

test('what a plug-in said goes with the blob', async (t) => {
  const world = await worldWith(t, 'good')
  await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
  await world.settle()
  assert.equal((await stored(world)).length, 1)
  await world.database.owner`delete from sighting`
  await world.database.owner`analyze blob`
  assert.equal(await trimBlobs(world.db, 0), 1)
  assert.deepEqual(await stored(world), [])
})

async function hashOf(bytes: string) {
  return (await textHasher.hash({ bytes: Buffer.from(bytes), signal })).signals
}
