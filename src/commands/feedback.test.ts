import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'
import { cidOfText, digestOfText, see } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)

for (const [bank, texts] of [
  ['SPAM', ['one', 'two', 'both']],
  ['GORE', ['both']],
] as const) {
  await blobwatch(['bank', 'create', bank, '--class', 'open', '--mode', 'hold'])
  for (const text of texts) await blobwatch(['bank', 'add', bank, '--sha256', digestOfText(text)])
}
await blobwatch(['bank', 'create', 'CONFIRMED', '--class', 'open', '--mode', 'act'])
await see(database, { text: 'one', rkey: '1', mode: 'act' })
await see(database, { text: 'two', rkey: '2', mode: 'act' })
await see(database, { text: 'both', rkey: '3', mode: 'act' })

describe('case', () => {
  test('confirm --move-to moves the content, and case show tells that it was reviewed', async () => {
    const { code, out } = await blobwatch(['case', 'confirm', '1', '--move-to', 'CONFIRMED'])
    assert.equal(code, 0, out)
    assert.match(out, /In CONFIRMED now: content 5/)
    assert.match((await blobwatch(['case', 'show', '1'])).out, /CONFIRMED.*enabled.*confirmed 20/)
  })

  test('release --disable-for disables the one content behind it', async () => {
    const { out } = await blobwatch(['case', 'release', '2', '--disable-for', '30d'])
    assert.match(out, /Disabled until 20\d\d-.*: content 2/)
    const { json } = await blobwatch(['case', 'show', '2', '--json'])
    const { contents } = json() as { contents: { content: number; reviewed: string }[] }
    assert.deepEqual(
      contents.map(({ content, reviewed }) => [content, reviewed]),
      [[2, 'deconfirmed']],
    )
  })

  test('of several contents they are listed and one has to be named', async () => {
    const { code, err } = await blobwatch(['case', 'release', '3', '--disable'])
    assert.equal(code, 2)
    assert.match(err, /3 of SPAM \(1 blob\), 4 of GORE \(1 blob\). Say with --content/)
    const { out } = await blobwatch(['case', 'release', '3', '--disable', '--content', '4'])
    assert.match(out, /Disabled until bank enable: content 4/)
  })

  test('refuses words that do not go together', async () => {
    for (const words of [
      ['release', '3', '--disable', '--disable-for', '3d'],
      ['release', '3', '--content', '4'],
      ['confirm', '3', '--move-to', 'NOWHERE'],
      ['confirm', '3', '--disable'],
    ])
      assert.equal((await blobwatch(['case', ...words])).code, 2, words.join(' '))
  })
})

describe('feedback', () => {
  test('add says that a picture is harmful without banking it, once', async () => {
    const words = ['feedback', 'add', '--blob', cidOfText('stranger'), '--note', 'told by phone']
    const { code, out } = await blobwatch(words)
    assert.equal(code, 0)
    assert.match(out, /harmful, about no content of a bank. Nothing is done because of it/)
    assert.match(out, /was not seen here/)
    assert.match((await blobwatch(words)).out, /You said so before/)
  })

  test('add refuses what is no blob, two verdicts, and a wrong match of nothing', async () => {
    const blob = ['feedback', 'add', '--blob', cidOfText('stranger')]
    for (const words of [
      ['feedback', 'add', '--blob', 'bafy'],
      [...blob, '--harmful', '--not-harmful'],
      [...blob, '--not-harmful'],
      [...blob, '--content', '1'],
    ])
      assert.equal((await blobwatch(words)).code, 2, words.join(' '))
  })

  test('list narrows down and pages', async () => {
    const listed = async (...words: string[]) => {
      const { json } = await blobwatch(['feedback', 'list', '--json', ...words])
      const { feedback } = json() as { feedback: { verdict: string; content: number | null }[] }
      return feedback.map(({ verdict, content }) => `${verdict} ${content}`)
    }
    assert.deepEqual(await listed(), [
      'harmful null',
      'not-harmful 4',
      'not-harmful 3',
      'not-harmful 2',
      'harmful 1',
    ])
    assert.deepEqual(await listed('--bank', 'GORE'), ['not-harmful 4'])
    assert.deepEqual(await listed('--content', '5'), ['harmful 1'], 'what it was before it moved')
    assert.deepEqual(await listed('--verdict', 'harmful', '--limit', '1'), ['harmful null'])
    await database.owner`update feedback set exported_at = now() where content is not null`
    assert.deepEqual(await listed('--not-exported', '--since', '1d'), ['harmful null'])
    const { out } = await blobwatch(['feedback', 'list', '--limit', '2'])
    assert.match(out, /told by phone/)
    assert.match(out, /There is more: --page 2/)
    assert.equal((await blobwatch(['feedback', 'list', '--page', '9'])).out, 'No such feedback.')
  })
})
