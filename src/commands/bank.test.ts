import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import sharp from 'sharp'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)

const picture = join(blobwatch.dir, 'picture.png')
const flat = join(blobwatch.dir, 'flat.png')
const pixels = Buffer.from(
  Array.from({ length: 256 * 256 }, (_, i) => ((i >> 12) * 37 + ((i & 255) >> 4) * 91) & 255),
)
const pictureBytes = await sharp(pixels, { raw: { width: 256, height: 256, channels: 1 } })
  .png()
  .toBuffer()
await writeFile(picture, pictureBytes)
await writeFile(
  flat,
  await sharp({ create: { width: 128, height: 128, channels: 3, background: '#888' } })
    .png()
    .toBuffer(),
)
const sha256 = createHash('sha256').update(pictureBytes).digest('hex')

describe('hash', () => {
  test('prints digests and PDQ without a database', async () => {
    const { code, out } = await blobwatch(['hash', picture], {
      env: { BLOBWATCH_DATABASE_URL: 'none' },
    })
    assert.equal(code, 0)
    assert.ok(out.includes(sha256))
    assert.match(out, /kind +image \(png\)/)
    assert.match(out, /pdq +[0-9a-f]{64} \(quality \d+\)/)
  })

  test('says why a picture is unscannable', async () => {
    const broken = join(blobwatch.dir, 'broken.png')
    await writeFile(broken, pictureBytes.subarray(0, 60))
    const { json } = await blobwatch(['hash', broken, '--json'])
    const { files } = json() as { files: { unscannable?: string; signals: { pdq?: unknown } }[] }
    assert.equal(files[0]?.unscannable, 'corrupt')
    assert.equal(files[0]?.signals.pdq, undefined)
  })

  test('a file that is not there is exit code 2', async () => {
    const { code, err } = await blobwatch(['hash', join(blobwatch.dir, 'nothing')])
    assert.equal(code, 2)
    assert.match(err, /cannot be read/)
  })
})

describe('bank', () => {
  test('an empty list is a sentence', async () => {
    assert.equal((await blobwatch(['bank', 'list'])).out, 'There is no bank yet: bank create NAME')
  })

  test('create, list and set keep the policy that was asked for', async () => {
    const words = [
      'bank',
      'create',
      'SPAM',
      '--class',
      'open',
      '--mode',
      'act',
      '--actions',
      'label,takedown-blob',
    ]
    assert.match((await blobwatch(words)).err, /the action label needs the label/)
    assert.equal((await blobwatch([...words, '--label', 'spam', '--pdq-distance', '20'])).code, 0)
    await blobwatch(['bank', 'set', 'SPAM', '--perceptual', 'act', '--no-label'])
    const { json } = await blobwatch(['bank', 'list', '--json'])
    const [bank] = (json() as { banks: { mode: string; policy: Record<string, unknown> }[] }).banks
    assert.equal(bank?.mode, 'act')
    assert.deepEqual(bank?.policy, {
      exact: 'act',
      perceptual: 'act',
      pdqDistanceMax: 20,
      clipDistanceMax: 62,
      ratio: 1,
      ratioSeed: '',
      actions: ['label', 'takedown-blob'],
      preserve: false,
      version: 2,
    })
  })

  test('refuses a wrong name, a wrong mode, a label on a restricted bank and a set without a change', async () => {
    for (const words of [
      ['create', 'spam'],
      ['create', 'OTHER', '--mode', 'kill'],
      ['create', 'OTHER', '--label', 'porn'],
      ['set', 'SPAM'],
      ['add', 'SPAM'],
      ['add', 'NOWHERE', '--md5', 'ab'.repeat(16)],
      ['add', 'SPAM', '--md5', 'xyz'],
      ['remove', 'SPAM', '999'],
      ['show', 'NOWHERE'],
    ]) {
      const { code, err } = await blobwatch(['bank', ...words])
      assert.equal(code, 2, words.join(' '))
      assert.notEqual(err, '', words.join(' '))
    }
  })

  test('add takes files with progress; a flat picture gives its digests and no PDQ', async () => {
    const { out, err } = await blobwatch(['bank', 'add', 'SPAM', picture, flat, '--note', 'advert'])
    assert.match(err, /1\/2.*\n2\/2/)
    assert.match(out, /content 1 \(sha256, md5, sha1, pdq\)/)
    assert.match(
      out,
      /content 2 \(sha256, md5, sha1\)\n +PDQ refused: quality \d+ is under 50; only exact/,
    )
  })

  test('show pages contents; values only with --signals, and never of a restricted bank', async () => {
    const plain = await blobwatch(['bank', 'show', 'SPAM', '--limit', '1'])
    assert.match(plain.out, /advert/)
    assert.match(plain.out, /There is more: --page 2/)
    assert.ok(!plain.out.includes(sha256))
    assert.ok((await blobwatch(['bank', 'show', 'SPAM', '--signals'])).out.includes(sha256))
    await blobwatch(['bank', 'create', 'SECRET'])
    const { code, err } = await blobwatch(['bank', 'show', 'SECRET', '--signals'])
    assert.equal(code, 2)
    assert.match(err, /SECRET is restricted: its signals are not shown/)
  })
})

describe('match', () => {
  test('finds a file in its bank by content, type and distance, and never prints the signal', async () => {
    const { code, out } = await blobwatch(['match', picture])
    assert.equal(code, 0)
    assert.match(out, /SPAM.*sha256.*0/)
    assert.match(out, /SPAM.*pdq.*0/)
    assert.ok(!out.includes(sha256))
    const { json, code: found } = await blobwatch([
      'match',
      sha256,
      '--type',
      'sha256',
      '--exit-code',
      '--json',
    ])
    assert.equal(found, 1)
    assert.deepEqual((json() as { matches: unknown[] }).matches, [
      {
        what: sha256,
        bank: 'SPAM',
        content: 1,
        type: 'sha256',
        distance: 0,
        variant: 'original',
        counts: 'yes',
      },
    ])
  })

  test('says that nothing matches, and refuses what is neither file nor hex', async () => {
    assert.equal((await blobwatch(['match', 'ab'.repeat(16), '--exit-code'])).code, 0)
    assert.equal((await blobwatch(['match', 'ab'.repeat(16)])).out, 'Nothing matches.')
    for (const words of [
      ['zz'],
      ['ab'.repeat(16), '--type', 'pdq'],
      [sha256, '--bank', 'NOWHERE'],
    ]) {
      assert.equal((await blobwatch(['match', ...words])).code, 2, words.join(' '))
    }
  })

  test('a disabled content matches nothing until it is enabled; a held one is resumed', async () => {
    const first = (verb: string, ...more: string[]) =>
      blobwatch(['bank', verb, 'SPAM', '1', ...more])
    assert.match((await first('disable')).out, /matches nothing from now on/)
    assert.equal((await blobwatch(['match', sha256])).out, 'Nothing matches.')
    assert.match((await first('enable')).out, /scanned before is compared/)
    assert.match((await blobwatch(['match', sha256])).out, /SPAM/)
    await first('disable', '--for', '7d')
    assert.equal((await blobwatch(['match', sha256])).out, 'Nothing matches.')
    await database.owner`update bank_content set held_at = now()`
    assert.match((await first('resume')).out, /may act again|act again/)
    const [row] = await database.owner`select held_at from bank_content where id = 1`
    assert.equal(row?.['held_at'], null)
    await first('enable')
    assert.equal((await blobwatch(['bank', 'disable', 'SPAM', '99'])).code, 2)
    assert.equal((await first('disable', '--for', 'soon')).code, 2)
  })

  test('a removed content matches nothing', async () => {
    assert.match(
      (await blobwatch(['bank', 'remove', 'SPAM', '1'])).out,
      /matches nothing from now on/,
    )
    assert.equal((await blobwatch(['match', sha256])).out, 'Nothing matches.')
  })
})
