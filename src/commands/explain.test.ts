import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addContent, createBank, removeContent, setBank, bankNamed } from '../banks/bank-store.ts'
import { blobCidOf } from '../domain/cid.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { hashOf, putBlobs, seenDatabase, withBits } from '../roles/seen-in-test.ts'
import { principalId } from '../steps/withdraw.ts'
import { commandLine } from './run-in-test.ts'
import { cidOfText, digestOfText, enter, see, testDataKey } from './seed-in-test.ts'

const nowMs = Date.now()
const database = await seenDatabase(undefined, nowMs)
const blobwatch = await commandLine(database)
const db = database.app
const principal = await principalId(db, { kind: 'person', name: 'tester', nowMs })
const acting = {
  BLOBWATCH_MODE: 'act',
  BLOBWATCH_PDS_URL: 'https://pds.example',
  BLOBWATCH_DATA_KEY: testDataKey,
}
const picture = hashOf('picture')
const made = { principal, nowMs, mode: 'act' as const }

await createBank(db, { ...made, name: 'SPAM', class: 'open' })
await createBank(db, { ...made, name: 'SECRET', class: 'restricted' })
const digest = (text: string) => [{ type: 'sha256' as const, value: digestOfText(text) }]
const spam = await addContent(db, {
  bank: 'SPAM',
  signals: digest('spam'),
  note: 'an advert',
  principal,
  nowMs,
})
const secret = await addContent(db, { bank: 'SECRET', signals: digest('secret'), principal, nowMs })
const alike = await addContent(db, {
  bank: 'SPAM',
  signals: [{ type: 'pdq', value: picture, quality: 80 }],
  principal,
  nowMs,
})
const hidden = await addContent(db, {
  bank: 'SECRET',
  signals: [{ type: 'pdq', value: withBits(picture, [200, 201]) }],
  principal,
  nowMs,
})
await see(database, { text: 'spam', rkey: '1', mode: 'act' })
await see(database, { text: 'secret', rkey: '2', mode: 'hold' })
await see(database, { text: 'clear', rkey: '3', mode: 'act' })
await enter(database)
await putBlobs(
  database.owner,
  [3, 12, 34, 40].map((distance, n) => ({
    cid: hashOf(`seen ${distance}`),
    pdq: withBits(
      picture,
      Array.from({ length: distance }, (_, bit) => bit),
    ),
    quality: 90,
    places: [{ account: 10 + n, daysAgo: 1, rkey: `p${n}` }],
  })),
  nowMs,
)

async function asked(): Promise<number[][]> {
  const rows = await database.owner<{ contents: number[] }[]>`
    select pub->'contents' as contents from ledger_intake where type = 'explained' order by id`
  return rows.map((row) => row.contents)
}

/** No value of any bank signal, in whatever a command said. */
async function holdsNoSignal(said: string): Promise<void> {
  const rows = await database.owner<
    { value: string }[]
  >`select encode(value, 'hex') as value from bank_signal`
  for (const { value } of rows) assert.ok(!said.includes(value), said)
}

describe('explain --blob', () => {
  test('goes through every gate from the first sight to the action', async () => {
    const { code, out } = await blobwatch(['explain', '--blob', cidOfText('spam')], { env: acting })
    assert.equal(code, 0, out)
    for (const said of [
      /1 seen +1 sighting by 1 account/,
      /2 fetch +the bytes came/,
      /3 signals +other, 5 bytes; matched/,
      /sha256, md5, sha1/,
      /4 match +1 match/,
      /SPAM.*sha256.* 0 .*equal.*original.*an advert/,
      /5 decide +\S+ \S+ acted takedown-blob, takedown-record at at:\/\/.*: a digest is equal, and the bank acts on that/,
      /6 case +case \d+: acted/,
      /7 act +2 actions/,
      /takedown-blob.*released.*│ +\d+ │/,
      /8 now +with the banks of change \d+: 1 match would count, 0 would be set aside/,
      /as it was recorded/,
    ])
      assert.match(out, said)
    await holdsNoSignal(out)
  })

  test('the same for machines, and without any signal', async () => {
    const ran = await blobwatch(['explain', '--blob', cidOfText('spam'), '--json'], { env: acting })
    const { blobs } = ran.json() as {
      blobs: {
        matches: object[]
        actions: { intentSeq: number }[]
        now: { differences: string[] }
      }[]
    }
    assert.equal(blobs[0]?.matches.length, 1)
    assert.ok(blobs[0]?.actions.every(({ intentSeq }) => intentSeq >= 0))
    assert.deepEqual(blobs[0]?.now.differences, [])
    await holdsNoSignal(ran.out)
  })

  test('a question about what a restricted bank matched is recorded, one about others is not', async () => {
    const before = await asked()
    await blobwatch(['explain', '--blob', cidOfText('clear')], { env: acting })
    await blobwatch(['explain', '--blob', cidOfText('spam')], { env: acting })
    assert.deepEqual(await asked(), before)
    const { code, out } = await blobwatch(['explain', '--blob', cidOfText('secret')], {
      env: acting,
    })
    assert.equal(code, 0)
    assert.match(out, /SECRET/)
    assert.match(out, /now acted/)
    assert.deepEqual(await asked(), [...before, [secret.content]])
  })

  test('tells how the banks of now would differ from what was recorded', async () => {
    const { version: _, ...policy } = (await bankNamed(db, 'SPAM')).policy
    await setBank(db, { name: 'SPAM', mode: 'hold', policy, principal, nowMs })
    const held = await blobwatch(['explain', '--blob', cidOfText('spam')], { env: acting })
    assert.match(held.out, /1 place: acted \(.*\), now held/)
    await removeContent(db, { bank: 'SPAM', content: spam.content, principal, nowMs })
    const { out } = await blobwatch(['explain', '--blob', cidOfText('spam')], { env: acting })
    assert.match(out, /content 1 \(sha256, distance 0\) matches no more: it was removed/)
    assert.match(out, /nothing counts now: 1 place would have no decision/)
  })

  test('a case is explained blob by blob', async () => {
    const [row] = await database.owner<{ id: number }[]>`
      select case_file as id from case_blob where blob_cid = decode(${digestOfText('secret')}, 'hex')`
    const { code, out } = await blobwatch(['explain', '--case', String(row?.id)], { env: acting })
    assert.equal(code, 0, out)
    assert.match(out, new RegExp(`blob ${cidOfText('secret')}`))
    assert.match(out, new RegExp(`6 case +case ${row?.id}: open`))
    assert.match((await blobwatch(['explain', '--case', '999'])).err, /there is no case 999/)
  })

  test('needs exactly one question, about something known', async () => {
    for (const [words, said] of [
      [[], /explain takes one of/],
      [['--blob', 'x', '--content', '1'], /explain takes one of/],
      [['--blob', 'x'], /takes a blob CID/],
      [['--blob', cidOfText('never seen')], /nothing is known about/],
      [['--pair', 'a'], /takes two things/],
      [['--content', '99'], /there is no content 99/],
    ] as const) {
      const { code, err } = await blobwatch(['explain', ...words])
      assert.equal(code, 2)
      assert.match(err, said)
    }
  })
})

describe('explain --pair', () => {
  test('gives the distance of the nearest variant and for which banks it is near enough', async () => {
    const turned = turnsOfHash(withBits(picture, [1, 2, 3, 4])).find(({ turn }) => turn === 'flip')
    const { code, out } = await blobwatch([
      'explain',
      '--pair',
      turned?.hash as string,
      picture,
      '--type',
      'pdq',
    ])
    assert.equal(code, 0, out)
    assert.match(out, /pdq *│ *4 *│ *flip/)
    assert.match(out, /SPAM *│ *pdq *│ *31 *│ *yes/)
  })

  test('digests are equal or they differ', async () => {
    const { out } = await blobwatch(['explain', '--pair', cidOfText('spam'), cidOfText('clear')])
    assert.match(out, /sha256 *│ *differs/)
    const same = await blobwatch([
      'explain',
      '--pair',
      cidOfText('spam'),
      digestOfText('spam'),
      '--type',
      'sha256',
    ])
    assert.match(same.out, /sha256 *│ *equal/)
  })

  test('shows the bits that differ, but for a blob that a restricted bank matches', async () => {
    const near = withBits(picture, [0, 17])
    const { out } = await blobwatch(['explain', '--pair', picture, near, '--type', 'pdq', '--bits'])
    const grid = out.split('\n').filter((line) => /^ {2}[.#]( [.#])*$/.test(line))
    assert.equal(grid.length, 16)
    assert.equal(grid[0]?.trim(), `#${' .'.repeat(15)}`)
    assert.equal(grid[1]?.trim(), `. #${' .'.repeat(14)}`)
    const { code, err } = await blobwatch([
      'explain',
      '--pair',
      cidOfText('secret'),
      picture,
      '--bits',
    ])
    assert.equal(code, 2)
    assert.match(err, /a restricted or confidential bank matches/)
  })
})

describe('explain --content', () => {
  test('tells what it is, what it matched and what other distances would match', async () => {
    const { out } = await blobwatch(['explain', '--content', String(alike.content)])
    assert.match(out, /bank +SPAM \(hold, open, PDQ distance up to 31\)/)
    assert.match(out, /state +enabled/)
    assert.match(out, /signals +pdq \(quality 80\)/)
    assert.match(out, /It matched nothing in the last 30 days\./)
    assert.match(out, /36 *│ *1 *│ *1 *│ *comparing what is stored/)
    assert.match(out, /42 *│ *2 *│ *2 *│/)
    await holdsNoSignal(out)
  })

  test('recorded matches count up to the distance of the bank, with what they caused', async () => {
    const ran = await blobwatch(['explain', '--content', String(spam.content), '--json'])
    const { matched, actions, distances, removedAt } = ran.json() as {
      matched: object[]
      actions: { kind: string; actions: number }[]
      distances: { distance: number; blobs: number; accounts: number }[]
      removedAt: string
    }
    assert.deepEqual(matched, [
      { type: 'sha256', distance: 0, variant: 'original', blobs: 1, ratio: 0, negative: 0 },
    ])
    assert.deepEqual(
      actions.map(({ kind, actions }) => [kind, actions]),
      [
        ['takedown-blob', 1],
        ['takedown-record', 1],
      ],
    )
    assert.ok(distances.every((row) => row.blobs === 1 && row.accounts === 1))
    assert.ok(removedAt)
    await holdsNoSignal(ran.out)
  })

  test('of a restricted bank each question is an entry, and too many are refused', async () => {
    const before = (await asked()).length
    const words = ['explain', '--content', String(hidden.content)]
    assert.equal((await blobwatch(words)).code, 0)
    assert.deepEqual((await asked()).at(-1), [hidden.content])
    await database.owner`
      insert into explained (principal, at) select ${principal}, now() from generate_series(1, 60)`
    const { code, err } = await blobwatch(words)
    assert.equal(code, 2)
    assert.match(err, /limited to 60 an hour; the next may be asked at \d\d:\d\d:\d\dZ/)
    assert.equal((await asked()).length, before + 1)
    assert.equal((await blobwatch(['explain', '--content', String(alike.content)])).code, 0)
  })
})

test('--bits shows an open bank, and nothing where a restricted one matches too', async () => {
  await database.owner`delete from explained`
  const cid = blobCidOf(hashOf('seen 3'))
  const both = await blobwatch(['explain', '--blob', cid, '--bits'])
  assert.match(both.out, /2 matches would count/)
  assert.doesNotMatch(both.out, /bits that differ/)
  await removeContent(db, { bank: 'SECRET', content: hidden.content, principal, nowMs })
  const open = await blobwatch(['explain', '--blob', cid, '--bits'])
  assert.match(open.out, /bits that differ from signal \d+/)
  assert.match(open.out, /\n {2}# # # \./)
})
