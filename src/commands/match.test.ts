import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import sharp from 'sharp'
import { addContent, createBank } from '../banks/bank-store.ts'
import { findDigests } from '../banks/digest-lookup.ts'
import type { BankPolicy } from '../domain/bank.ts'
import type { SignalType } from '../domain/blob.ts'
import { blobCidOf } from '../domain/cid.ts'
import { matchNow } from '../roles/banks-now.ts'
import { principalId } from '../steps/withdraw.ts'
import { testDatabase } from '../testing/database.ts'
import { commandLine } from './run-in-test.ts'

const database = await testDatabase()
const db = database.app
const blobwatch = await commandLine(database)
const nowMs = Date.now()
const principal = await principalId(db, { kind: 'person', name: 'tester', nowMs })

const spam = await bank('SPAM', {})
const near = randomBytes(32).toString('hex')
const nearContent = await content('SPAM', 'pdq', near)
const clip = randomBytes(64).toString('hex')
await content('SPAM', 'clip', clip)
const digest = sha256('one')
await content('SPAM', 'sha256', digest)

describe('match', () => {
  test('--distance narrows, and never goes beyond what the bank allows', async () => {
    const found = async (bits: number, ...more: string[]) =>
      (await rows(turned(near, bits), '--type', 'pdq', ...more)).map((row) => row.distance)
    assert.deepEqual(await found(20), [20])
    assert.deepEqual(await found(20, '--distance', '20'), [20])
    assert.deepEqual(await found(20, '--distance', '19'), [])
    assert.deepEqual(await found(40, '--distance', '128'), [])
    assert.equal((await blobwatch(['match', near, '--distance', '129'])).code, 2)
  })

  test('compares 512-bit signals by --type clip', async () => {
    const [row, ...more] = await rows(turned(clip, 50), '--type', 'clip')
    assert.deepEqual([row?.type, row?.distance, more], ['clip', 50, []])
    assert.deepEqual(await rows(turned(clip, 63)), [])
  })

  test('names the variant in which a file came nearest', async () => {
    const picture = join(blobwatch.dir, 'picture.png')
    const pixels = await sharp(noise(), { raw: { width: 6, height: 6, channels: 1 } })
      .resize(256, 256, { kernel: 'cubic' })
      .png()
      .toBuffer()
    await writeFile(picture, pixels)
    const { files } = (await blobwatch(['hash', picture, '--json'])).json() as {
      files: { signals: { pdq: { hash: string } } }[]
    }
    await content('SPAM', 'pdq', files[0]?.signals.pdq.hash ?? '')
    const mirrored = join(blobwatch.dir, 'mirrored.png')
    await writeFile(mirrored, await sharp(pixels).flop().png().toBuffer())
    assert.deepEqual(
      (await rows(mirrored)).map((row) => [row.type, row.variant]),
      [['pdq', 'mirror']],
    )
    assert.match((await blobwatch(['match', mirrored])).out, /variant[^]*mirror/)
  })

  test('says what does not count, and it is no bad news', async () => {
    const value = randomBytes(32).toString('hex')
    const kept = await content('SPAM', 'pdq', value)
    await bank('HARMLESS', { suppresses: [spam] })
    const harmless = await content('HARMLESS', 'pdq', value)
    const { code, out } = await blobwatch(['match', value, '--exit-code'])
    assert.equal(code, 0)
    assert.match(out, /SPAM.*no: a bank of harmless pictures matches too/)
    const counts = (await rows(value)).map((row) => [row.content, row.counts])
    assert.deepEqual(counts, [
      [kept, 'set-aside-negative'],
      [harmless, 'harmless'],
    ])
    assert.equal((await blobwatch(['match', near, '--exit-code'])).code, 1)
  })

  test('a bank that looks at a share of blobs is asked in full where the blob is not known', async () => {
    await bank('SHARE', { ratio: 0 })
    const md5 = randomBytes(16).toString('hex')
    await content('SHARE', 'md5', md5)
    assert.deepEqual(
      (await rows(md5)).map((row) => row.counts),
      ['yes'],
    )
    await content('SHARE', 'sha256', digest)
    const shares = (await rows(blobCidOf(digest))).map((row) => [row.bank, row.counts])
    assert.deepEqual(shares, [
      ['SPAM', 'yes'],
      ['SHARE', 'set-aside-ratio'],
    ])
  })

  test('looks digests up and finds what reading every signal finds', async () => {
    const blobs = [
      { sha256: digest },
      { sha256: sha256('nothing'), md5: digest.slice(0, 32) },
      { sha256: '', sha1: digest.slice(0, 40) },
      { sha256: digest, md5: digest.slice(0, 32) },
    ]
    await content('SPAM', 'md5', digest.slice(0, 32))
    const off = await content('SPAM', 'sha1', digest.slice(0, 40))
    for (const until of [1, 0, Math.floor(nowMs / 1000) + 60, Math.floor(nowMs / 1000) - 60]) {
      await database.owner`update bank_content set disable_until_ts = ${until} where id = ${off}`
      const { matches } = await matchNow({ db, blobs, nowMs })
      assert.deepEqual(await findDigests(db, blobs, nowMs), matches)
      assert.equal(matches[2]?.length, until === 1 || (until > 1 && until < nowMs / 1000) ? 1 : 0)
    }
  })

  test('shows a bank only, and refuses one that is not there', async () => {
    assert.deepEqual(
      (await rows(near, '--bank', 'SPAM')).map((row) => row.content),
      [nearContent],
    )
    assert.deepEqual(await rows(near, '--bank', 'SHARE'), [])
    assert.match((await blobwatch(['match', near, '--bank', 'NONE'])).err, /'NONE' not found/)
  })
})

type Row = {
  bank: string
  content: number
  type: SignalType
  distance: number
  variant: string
  counts: string
}

async function rows(...words: string[]): Promise<Row[]> {
  const { json, err } = await blobwatch(['match', ...words, '--json'])
  assert.equal(err, '')
  return (json() as { matches: Row[] }).matches
}

async function bank(name: string, policy: Partial<BankPolicy>): Promise<number> {
  const made = await createBank(db, {
    name,
    mode: 'observe',
    class: 'open',
    policy,
    principal,
    nowMs,
  })
  return made.bank
}

async function content(bank: string, type: SignalType, value: string): Promise<number> {
  const signals = [{ type, value, ...(type === 'pdq' && { quality: 100 }) }]
  return (await addContent(db, { bank, signals, principal, nowMs })).content
}

function turned(hex: string, bits: number): string {
  const bytes = Buffer.from(hex, 'hex')
  for (let bit = 0; bit < bits; bit += 1) bytes[bit >> 3]! ^= 1 << (bit & 7)
  return bytes.toString('hex')
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** Grey values that look the same in no two turns. */
function noise(): Buffer {
  return createHash('sha512').update('noise').digest().subarray(0, 36)
}
