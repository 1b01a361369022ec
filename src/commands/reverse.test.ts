import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { claimAction, finish } from '../steps/act.ts'
import { previewReversal, startReversal } from '../steps/reverse.ts'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, enter, see, testDataKey } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const env = { BLOBWATCH_DATA_KEY: testDataKey }

await blobwatch(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'act'])
await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText('one')])
await blobwatch(['bank', 'create', 'OTHER', '--class', 'open', '--mode', 'act'])
await blobwatch(['bank', 'add', 'OTHER', '--sha256', digestOfText('two')])
for (let n = 0; n < 3; n += 1) await see(database, { text: 'one', rkey: `r${n}`, mode: 'act' })
await see(database, { text: 'two', rkey: 'r0', mode: 'act' })
await send()

/** Everything that may leave leaves; a host that knows no undo of `refuse` says no. */
async function send(refuse?: string): Promise<void> {
  for (;;) {
    await enter(database)
    const kinds = ['takedown-blob', 'takedown-record'] as const
    const claimed = await claimAction(database.app, { kinds: [...kinds], nowMs: Date.now() })
    if (claimed === undefined) return
    const outcome =
      claimed.kind === refuse && !claimed.applied
        ? { kind: 'refused' as const, reason: 'not-ours' }
        : { kind: 'done' as const, detail: { applied: claimed.applied, ref: claimed.ref } }
    await finish(database.app, { claimed, outcome, nowMs: Date.now(), random: 0 })
  }
}

/** A run of `reverse --content 1` that was killed before its first batch. */
async function startedElsewhere(): Promise<number> {
  const scope = { content: 1, as: { content: '1' } }
  const nowMs = Date.now()
  const preview = await previewReversal(database.app, { scope, nowMs })
  const asked = { scope, preview, disables: false, principal: 1, nowMs }
  return (await startReversal(database.app, asked)).reversal
}

async function undos(): Promise<number> {
  return (await database.app`select from action where not applied`).length
}

describe('reverse', () => {
  test('needs to be told what, in words that go together', async () => {
    for (const [words, said] of [
      [[], /reverse needs --content, --bank, --principal, --key or a time/],
      [['--content', '1', '--bank', 'SPAM'], /--content and --bank: one of them/],
      [['--since', '2d', '--disable'], /a time alone names no content/],
      [['--since', '1h', '--until', '2h'], /--since is before --until/],
      [['--content', '99'], /there is no content 99/],
      [['--bank', 'NOWHERE'], /bank 'NOWHERE' not found/],
      [['--principal', 'nobody'], /nobody is registered as 'nobody'/],
      [['--key', 'k_none'], /a key is named by its id/],
      [['--continue', '9'], /there is no reversal 9/],
      [['--continue', '9', '--content', '1'], /takes no other option/],
    ] as const) {
      const { code, err } = await blobwatch(['reverse', ...words])
      assert.equal(code, 2, err)
      assert.match(err, said)
    }
  })

  test('a dry run shows counts, what stays and what happens to the content, and does nothing', async () => {
    const { code, out } = await blobwatch(['reverse', '--content', '1', '--dry-run'])
    assert.equal(code, 0)
    assert.match(out, /To take back: what content 1 caused/)
    assert.match(out, /3 actions of 1 account to take back. 3 undos are sent: no cap keeps/)
    assert.match(out, /1 action stays because OTHER matches there too/)
    assert.match(out, /Content 1 of SPAM stays enabled: it acts again.*--disable \(recommended\)/)
    assert.match(out, /this was a dry run/)
    await blobwatch(['pause'])
    assert.match((await blobwatch(['reverse', '--content', '1', '--dry-run'])).out, /are paused/)
    await blobwatch(['resume'])
    const { json } = await blobwatch(['reverse', '--bank', 'SPAM', '--dry-run', '--json'])
    const shown = json() as { dryRun: boolean; preview: { actions: number; keptBy: object } }
    assert.deepEqual([shown.dryRun, shown.preview.actions], [true, 3])
    assert.deepEqual(shown.preview.keptBy, { OTHER: 1 })
    assert.equal(await undos(), 0)
    assert.equal((await blobwatch(['reverse', 'list'])).out, 'Nothing was reversed.')
  })

  test('a number that is not the number of actions stops it', async () => {
    const { code, err } = await blobwatch(['reverse', '--content', '1', '--actions', '4'])
    assert.equal(code, 2)
    assert.match(err, /there are 3 actions, not 4: nothing was done/)
    assert.equal(await undos(), 0)
  })

  test('takes back, says what stays, and show tells later what could not be undone', async () => {
    const words = ['reverse', '--content', '1', '--disable', '--reason', 'wrong hash']
    const { code, out } = await blobwatch(words)
    assert.equal(code, 0, out)
    assert.match(out, /Content 1 of SPAM is disabled first/)
    assert.match(out, /takedown-record +│ undo on the way +│ +2/)
    assert.match(out, /OTHER matches there too/)
    assert.match(out, /reverse show 1 tells how it stands/)
    await send('takedown-record')
    const later = await blobwatch(['reverse', 'show', '1'])
    assert.match(later.out, /takedown-blob +│ undone +│ +1/)
    assert.match(later.out, /no longer ours: somebody else has it down +│ +2/)
    assert.match(later.out, /why +wrong hash/)
    const { json } = await blobwatch(['reverse', 'show', '1', '--state', 'not-ours', '--json'])
    const { actions } = json() as { actions: { state: string; uri: string }[] }
    assert.deepEqual(
      actions.map(({ state, uri }) => [state, uri.split('/').at(-1)]),
      [
        ['not-ours', 'r1'],
        ['not-ours', 'r2'],
      ],
    )
    const paged = await blobwatch(['reverse', 'show', '1', '--limit', '1'])
    assert.match(paged.out, /There is more: --page 2/)
    assert.match((await blobwatch(['reverse', 'list'])).out, /what content 1 caused.*ended/)
    const shown = await blobwatch(['bank', 'show', 'SPAM'])
    assert.match(shown.out, /disabled/)
  })

  test('goes on with an open run when the same words are said again, or --continue is', async () => {
    const open = await startedElsewhere()
    const same = await blobwatch(['reverse', '--content', '1'])
    assert.match(same.err, new RegExp(`Reversal ${open} was asked for in the same words and is`))
    const next = String(await startedElsewhere())
    assert.equal((await blobwatch(['reverse', '--continue', next, '--json'])).code, 0)
    const ended = await blobwatch(['reverse', '--continue', next])
    assert.match(ended.err, /has ended: reverse show/)
  })

  test('more than a hundred actions are taken back only when their number is typed', async () => {
    await blobwatch(['bank', 'add', 'OTHER', '--sha256', digestOfText('many')])
    for (let n = 0; n < 101; n += 1)
      await see(database, { text: 'many', rkey: `m${n}`, mode: 'act' })
    const refused = await blobwatch(['reverse', '--content', '3'])
    assert.equal(refused.code, 2)
    assert.match(refused.err, /these are 102 actions: say so with --actions 102/)
    const { code, out } = await blobwatch(['reverse', '--content', '3', '--actions', '102'])
    assert.equal(code, 0)
    assert.match(out, /stopped before anything was sent/)
  })

  test('a key stands for what its owner did while it was valid', async () => {
    const made = await blobwatch(['key', 'create', 'robot', '--scope', 'scan', '--json'])
    const { id } = made.json() as { id: string }
    const before = await blobwatch(['reverse', '--key', id, '--dry-run'])
    assert.match(before.out, /Nothing of it is in force, under way or waiting/)
    await blobwatch(['bank', 'add', 'OTHER', '--sha256', digestOfText('four')])
    await see(database, { text: 'four', rkey: 'f', mode: 'act' })
    const robot = database.owner`(select id from principal where name = 'robot')`
    await database.owner`
      update bank_change set principal = ${robot} where generation = (select max(generation) from bank_change)`
    const { out } = await blobwatch(['reverse', '--key', id, '--dry-run'])
    assert.match(out, /2 actions of 1 account to take back. Nothing of it was sent/)
    assert.match(out, /recorded under its owner/)
    await enter(database)
    const verified = await blobwatch(['ledger', 'verify'], { env })
    assert.equal(verified.code, 0, verified.out)
  })
})
