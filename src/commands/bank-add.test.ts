// What bank add asks before a content goes live, and what a bank's settings say.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { benignHashes } from '../banks/benign-hashes.ts'
import { testDatabase } from '../testing/database.ts'
import { didOf } from '../testing/world.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, see } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const count = async (table: string): Promise<number> => {
  const [row] = await database.owner<{ count: number }[]>`
    select count(*) as count from ${database.owner(table)}`
  return row?.count ?? 0
}

describe('the settings of a bank', () => {
  test('are set, shown and warned about', async () => {
    await blobwatch(['bank', 'create', 'SPAM', '--class', 'open', '--mode', 'hold'])
    const words = ['--pdq-distance', '45', '--ratio', '0.1', '--ratio-seed', 'autumn']
    const { code, err } = await blobwatch(['bank', 'set', 'SPAM', ...words])
    assert.equal(code, 0)
    assert.match(err, /searched by a scan.*slower.*Over 40 pictures that have nothing in common/)
    assert.match(err, /90% of the blobs are not compared/)
    const { out } = await blobwatch(['bank', 'show', 'SPAM'])
    assert.match(out, /distance +PDQ up to 45, CLIP up to 62/)
    assert.match(out, /share +0\.1 of the blobs, seed autumn/)
    assert.equal(
      (await blobwatch(['bank', 'set', 'SPAM', '--pdq-distance', '31', '--ratio', '1'])).err,
      '',
    )
    for (const wrong of [
      ['--pdq-distance', '65'],
      ['--clip-distance', '129'],
      ['--ratio', '1.5'],
      ['--ratio', 'half'],
      ['--suppresses', 'NOWHERE'],
      ['--suppresses', 'SPAM'],
      ['--suppresses', 'ALL', '--label', 'spam'],
    ])
      assert.equal((await blobwatch(['bank', 'set', 'SPAM', ...wrong])).code, 2, wrong.join(' '))
  })

  test('make a bank of harmless pictures, and an ordinary one of it again', async () => {
    await blobwatch(['bank', 'create', 'HARMLESS', '--suppresses', 'SPAM'])
    assert.match((await blobwatch(['bank', 'list'])).out, /HARMLESS.*SPAM/)
    const { out } = await blobwatch(['bank', 'set', 'HARMLESS', '--suppresses', 'ALL'])
    assert.match(out, /its matches ask for nothing/)
    assert.match((await blobwatch(['bank', 'show', 'HARMLESS'])).out, /suppresses +ALL/)
    const again = await blobwatch(['bank', 'set', 'HARMLESS', '--no-suppresses'])
    assert.match(again.out, /It asks for no action: bank set --actions/)
    assert.doesNotMatch((await blobwatch(['bank', 'show', 'HARMLESS'])).out, /suppresses/)
  })
})

describe('bank add', () => {
  test('into an empty database says that nothing was seen, and adds', async () => {
    const words = ['bank', 'add', 'SPAM', '--sha256', digestOfText('one')]
    const { code, out } = await blobwatch([
      ...words,
      '--note',
      'coin advert',
      '--metadata',
      '{"a": 1}',
    ])
    assert.equal(code, 0)
    assert.match(out, /nothing was seen in the last 30 days/)
    assert.match(out, /content 1 \(sha256\)/)
    const [row] =
      await database.owner`select verdict, result->'seen'->'days' as days from admission`
    assert.deepEqual({ ...row }, { verdict: 'passed', days: 30 })
  })

  test('refuses words that cannot be kept', async () => {
    for (const words of [
      ['--note', 'x'.repeat(2001)],
      ['--metadata', '[1]'],
      ['--metadata', '{'],
      ['--metadata', JSON.stringify({ a: 'x'.repeat(9000) })],
    ])
      assert.equal(
        (await blobwatch(['bank', 'add', 'SPAM', '--sha256', digestOfText('x'), ...words])).code,
        2,
      )
  })

  test('--dry-run shows what would match and changes nothing', async () => {
    await see(database, { text: 'two', rkey: '1', mode: 'hold' })
    const before = await count('bank_content')
    const { code, out } = await blobwatch([
      ...['bank', 'add', 'SPAM', '--sha256', digestOfText('two'), '--dry-run'],
    ])
    assert.equal(code, 0)
    assert.match(
      out,
      /would match 1 blob of 1 seen in the last 30 days: 1 sighting, 1 account, the oldest/,
    )
    assert.match(
      out,
      /up to 2 takedowns and 0 labels, once a person confirms: 1 h at the permitted rate/,
    )
    assert.match(out, /Nothing was changed/)
    assert.equal(await count('bank_content'), before)
  })

  test('asks for the number of accounts above a hundred; a wrong one does nothing', async () => {
    for (let n = 0; n < 101; n += 1)
      await see(database, { text: 'flood', rkey: `f${n}`, did: didOf(n), mode: 'hold' })
    const before = await count('bank_content')
    const words = ['bank', 'add', 'SPAM', '--sha256', digestOfText('flood')]
    const asked = await blobwatch(words)
    assert.equal(asked.code, 1)
    assert.match(asked.err, /Nothing was changed. .* --accounts 101/)
    const wrong = await blobwatch([...words, '--accounts', '100'])
    assert.equal(wrong.code, 1)
    assert.match(wrong.err, /--accounts 100 is not the number/)
    assert.equal(await count('bank_content'), before)
    assert.equal((await blobwatch([...words, '--accounts', '101'])).code, 0)
    assert.equal(await count('bank_content'), before + 1)
  })

  test('asks a second person above the set number, and about what looks harmless', async () => {
    const env = { BLOBWATCH_SECOND_PERSON_ACCOUNTS: '50' }
    const flood = ['bank', 'add', 'SPAM', '--md5', digestOfText('flood').slice(0, 32)]
    const { code, out } = await blobwatch([...flood, '--accounts', '101'], { env })
    assert.equal(code, 1)
    assert.match(
      out,
      /proposal 1 \(accounts\): nobody else is registered, so you may approve it yourself from/,
    )
    const { pdq, name } = benignHashes[0]!
    const harmless = await blobwatch(['bank', 'add', 'SPAM', '--pdq', pdq])
    assert.ok(harmless.out.includes(`a harmless picture would match (${name}, distance 0)`))
    const list = await blobwatch(['approval', 'list'])
    assert.match(list.out, /a content \(md5\)/)
    assert.match(list.out, /harmless/)
    assert.ok(!list.out.includes(pdq))
    assert.match((await blobwatch(['approval', 'list', '--limit', '1'])).out, /--page 2/)
    assert.match(
      (await blobwatch(['approval', 'reject', '2'])).out,
      /rejected: nothing comes of it/,
    )
    const dana = { env: { BLOBWATCH_PRINCIPAL: 'dana' } }
    const approved = await blobwatch(['approval', 'approve', '1'], dana)
    assert.match(approved.out, /101 accounts/)
    assert.match(approved.out, /proposal 1 is approved: content \d+ of SPAM/)
    assert.equal((await blobwatch(['approval', 'show', '9'])).code, 2)
  })

  test('refuses what says nothing about one picture', async () => {
    const { code, out } = await blobwatch(['bank', 'add', 'SPAM', '--pdq', '0'.repeat(64)])
    assert.equal(code, 1)
    assert.match(out, /pdq left out: one digit repeated/)
    assert.match(out, /refused: no signal is left/)
  })

  test('takes a folder of files, each a content of its own', async () => {
    const files = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const file = join(blobwatch.dir, `file-${n}.txt`)
        await writeFile(file, `text ${n}`)
        return file
      }),
    )
    const { code, out, err } = await blobwatch(['bank', 'add', 'SPAM', ...files])
    assert.equal(code, 0, err)
    assert.match(err, /40\/40/)
    assert.match(out, /40 contents added to SPAM/)
  })
})

describe('bank show', () => {
  test('finds contents by note, metadata and a whole signal', async () => {
    const found = async (search: string) => {
      const ran = await blobwatch(['bank', 'show', 'SPAM', '--search', search, '--json'])
      return (ran.json() as { contents: { id: number }[] }).contents.map(({ id }) => id)
    }
    assert.deepEqual(await found('COIN adv'), [1])
    assert.deepEqual(await found('"a": 1'), [1])
    assert.deepEqual(await found(digestOfText('one')), [1])
    assert.deepEqual(await found(digestOfText('one').slice(0, 40)), [])
    assert.deepEqual(await found('nothing like it'), [])
    assert.match(
      (await blobwatch(['bank', 'show', 'SPAM', '--search', 'zzz'])).out,
      /No such content/,
    )
    const sha1 = createHash('sha1').update('text 3').digest('hex')
    assert.equal((await found(sha1)).length, 1)
  })
})

describe('bank move', () => {
  test('is a content of the other bank, which says where it came from', async () => {
    await blobwatch(['bank', 'create', 'ADVERTS', '--class', 'open'])
    const { out } = await blobwatch(['bank', 'move', 'SPAM', '1', '--to', 'ADVERTS'])
    assert.match(out, /content 1 of SPAM is content \d+ of ADVERTS now/)
    assert.match((await blobwatch(['bank', 'show', 'ADVERTS'])).out, /content 1 of bank 1/)
    assert.equal((await blobwatch(['bank', 'move', 'SPAM', '1', '--to', 'ADVERTS'])).code, 2)
    assert.equal((await blobwatch(['bank', 'move', 'ADVERTS', '2', '--to', 'NOWHERE'])).code, 2)
  })
})
