// similar, cluster, bank test, policy dry-run: questions about what was seen and what a bank says. All read only.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { addContent, createBank } from '../banks/bank-store.ts'
import { blobCidOf } from '../domain/cid.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { hashOf, putBlobs, seenDatabase, withBits } from '../roles/seen-in-test.ts'
import { principalId } from '../steps/withdraw.ts'
import { commandLine } from './run-in-test.ts'
import { digestOfText, see } from './seed-in-test.ts'

const nowMs = Date.now()
const database = await seenDatabase(undefined, nowMs)
const blobwatch = await commandLine(database)
const db = database.app
const principal = await principalId(db, { kind: 'person', name: 'tester', nowMs })
const picture = hashOf('picture')
const cid = (name: string) => blobCidOf(hashOf(name))

await putBlobs(
  database.owner,
  [
    ...[0, 1, 2, 3].map((n) => ({
      cid: hashOf(`copy ${n}`),
      pdq: withBits(picture, [n, n + 50]),
      quality: 90,
      places: [{ account: 1 + (n % 2), daysAgo: n + 1, rkey: `r${n}` }],
    })),
    {
      cid: hashOf('lonely'),
      pdq: hashOf('lonely'),
      quality: 90,
      places: [{ account: 3, daysAgo: 1, rkey: 'x' }],
    },
    { cid: hashOf('text'), places: [{ account: 3, daysAgo: 1, rkey: 'y' }] },
  ],
  nowMs,
)

/** What is in every table that a question could have written to. */
async function everything(): Promise<object> {
  const [row] = await database.owner`
    select (select count(*) from ledger_intake) as intake, (select count(*) from job) as jobs,
      (select count(*) from match) as matches, (select count(*) from explained) as explained,
      (select generation from bank_head) as generation`
  return row ?? {}
}

describe('similar', () => {
  test('lists what looks like a stored blob, nearest first, a page at a time', async () => {
    const { code, out } = await blobwatch(['similar', cid('copy 0'), '--limit', '2'])
    assert.equal(code, 0, out)
    assert.match(out, new RegExp(cid('copy 0')))
    assert.match(out, /There is more: --page 2/)
    assert.match(out, /4 blobs within 31 bits\./)
    const { total, blobs, more } = (
      await blobwatch(['similar', cid('copy 0'), '--json', '--page', '2', '--limit', '2'])
    ).json() as { total: number; blobs: { distance: number; accounts: number }[]; more: boolean }
    assert.equal(total, 4)
    assert.equal(more, false)
    assert.deepEqual(
      blobs.map((blob) => [blob.distance, blob.accounts]),
      [
        [4, 1],
        [4, 1],
      ],
    )
  })

  test('says what is missing for anything that cannot be compared', async () => {
    for (const [what, said] of [
      [cid('nowhere'), /no scan of bafkrei\w+ is stored: give the file/],
      [cid('text'), /has no PDQ hash of quality 50 or more/],
      ['nothing', /neither a file nor a blob CID/],
    ] as const) {
      const { code, err } = await blobwatch(['similar', what])
      assert.equal(code, 2)
      assert.match(err, said)
    }
    assert.match((await blobwatch(['similar', cid('text'), '--distance', '65'])).err, /0 to 64/)
  })
})

describe('cluster', () => {
  test('shows groups, largest first, with accounts as a number', async () => {
    const { code, out } = await blobwatch(['cluster', '--min', '2'])
    assert.equal(code, 0, out)
    assert.match(out, /1 group among 5 pictures seen since/)
    assert.doesNotMatch(out, /did:plc/)
    const { groups } = (await blobwatch(['cluster', '--json'])).json() as {
      groups: Record<string, unknown>[]
    }
    assert.equal(groups.length, 1)
    const [{ blobs, sightings, accounts, banks, verdicts }] = groups as [Record<string, unknown>]
    assert.deepEqual(
      { blobs, sightings, accounts, banks, verdicts },
      {
        blobs: 4,
        sightings: 4,
        accounts: 2,
        banks: [],
        verdicts: { clear: 4, matched: 0, unscannable: 0 },
      },
    )
  })

  test('a shorter time and a nearer distance find less', async () => {
    assert.match(
      (await blobwatch(['cluster', '--since', '36h'])).out,
      /No 3 of 2 pictures seen since/,
    )
    assert.match((await blobwatch(['cluster', '--distance', '0'])).out, /No 3 of 5 pictures/)
  })
})

describe('bank test', async () => {
  const made = { principal, nowMs, mode: 'observe' as const, class: 'open' as const }
  await createBank(db, { ...made, name: 'SAMPLES', policy: { pdqDistanceMax: 10 } })
  await addContent(db, {
    bank: 'SAMPLES',
    signals: [
      { type: 'pdq', value: picture },
      { type: 'md5', value: hashOf('m').slice(0, 32) },
    ],
    principal,
    nowMs,
  })
  const turned = turnsOfHash(withBits(picture, [1, 2, 3])).find(({ turn }) => turn === 'rot270')

  test('says which samples match, how near and how turned, and records nothing', async () => {
    const before = await everything()
    const samples = [
      turned?.hash as string,
      hashOf('m').slice(0, 32),
      randomBytes(16).toString('hex'),
    ]
    const { code, out } = await blobwatch(['bank', 'test', 'SAMPLES', ...samples])
    assert.equal(code, 0, out)
    assert.match(out, /pdq.* 3 .*rot90/)
    assert.match(out, /3 samples: 2 matched, 1 not, at a PDQ distance of 10\./)
    assert.deepEqual(await everything(), before)
  })

  test('tries another distance', async () => {
    const near = withBits(
      picture,
      Array.from({ length: 20 }, (_, bit) => bit),
    )
    assert.match((await blobwatch(['bank', 'test', 'SAMPLES', near])).out, /0 matched, 1 not/)
    const { out } = await blobwatch(['bank', 'test', 'SAMPLES', near, '--distance', '20'])
    assert.match(out, /1 matched, 0 not, at a PDQ distance of 20/)
  })

  test('takes a folder of files', async () => {
    const folder = join(blobwatch.dir, 'samples', 'inner')
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, 'a.txt'), 'a')
    await writeFile(join(folder, 'b.txt'), 'b')
    const { out } = await blobwatch(['bank', 'test', 'SAMPLES', join(blobwatch.dir, 'samples')])
    assert.match(out, /2 samples: 0 matched, 2 not/)
  })

  test('finds each of its own signals', async () => {
    const { code, out } = await blobwatch(['bank', 'test', 'SAMPLES', '--against-self'])
    assert.equal(code, 0)
    assert.match(out, /SAMPLES: 2 of 2 signals were found\./)
    const file = await blobwatch(['bank', 'test', 'SAMPLES', '--against-self', '--json'], {
      env: { BLOBWATCH_INDEX: 'file' },
    })
    assert.deepEqual(file.json(), { bank: 'SAMPLES', signals: 2, found: 2, disabled: 0, wrong: [] })
  })

  test('needs samples, or to be told to look at itself', async () => {
    const { code, err } = await blobwatch(['bank', 'test', 'SAMPLES'])
    assert.equal(code, 2)
    assert.match(err, /takes samples, or --against-self/)
  })
})

describe('policy dry-run', async () => {
  await createBank(db, { principal, nowMs, mode: 'act', class: 'open', name: 'TRIED' })
  for (const text of ['one', 'two'])
    await addContent(db, {
      bank: 'TRIED',
      signals: [{ type: 'sha256', value: digestOfText(text) }],
      principal,
      nowMs,
    })
  await see(database, { text: 'one', rkey: '1', mode: 'observe' })
  await see(database, { text: 'one', rkey: '2', mode: 'observe' })
  await see(database, { text: 'two', rkey: '3', mode: 'observe' })
  const acting = { BLOBWATCH_MODE: 'act', BLOBWATCH_PDS_URL: 'https://pds.example' }

  test('says what other settings would have done, beside those of now, and changes nothing', async () => {
    const before = await everything()
    const { code, out } = await blobwatch(['policy', 'dry-run', 'TRIED', '--exact', 'hold'], {
      env: acting,
    })
    assert.equal(code, 0, out)
    assert.match(out, /blobs acted on *│ *2 *│ *0/)
    assert.match(out, /takedown-record at once *│ *3 *│ *0/)
    assert.match(out, /takedown-record by a person *│ *0 *│ *3/)
    assert.match(out, /At most \d+ takedowns and \d+ labels leave in 24 hours/)
    assert.deepEqual(await everything(), before)
  })

  test('compares what is stored where the distance is wider', async () => {
    await addContent(db, {
      bank: 'TRIED',
      signals: [
        {
          type: 'pdq',
          value: withBits(
            picture,
            Array.from({ length: 38 }, (_, n) => n + 100),
          ),
        },
      ],
      principal,
      nowMs,
    })
    const words = ['policy', 'dry-run', 'TRIED', '--pdq-distance', '40', '--json']
    const { now, then } = (await blobwatch(words, { env: acting })).json() as {
      now: { matched: number }
      then: { matched: number; held: number }
    }
    assert.equal(now.matched, 2)
    assert.equal(then.matched, 6)
    assert.equal(then.held, 4)
  })

  test('tells of the flood limit, and that a deployment that observes does nothing', async () => {
    const flood = { ...acting, BLOBWATCH_ACTIONS_PER_CONTENT: '1' }
    const { out } = await blobwatch(['policy', 'dry-run', 'TRIED', '--mode', 'act'], { env: flood })
    assert.match(out, /A content may cause 1 action in 24 hours; 2 contents would have passed that/)
    const observed = await blobwatch(['policy', 'dry-run', 'TRIED', '--mode', 'act'])
    assert.match(observed.out, /The deployment only observes.*--deployment act/)
    const asIf = await blobwatch([
      'policy',
      'dry-run',
      'TRIED',
      '--mode',
      'act',
      '--deployment',
      'hold',
    ])
    assert.match(asIf.out, /blobs held for a person *│ *2 *│ *2/)
  })

  test('needs something to try, within what a bank may be', async () => {
    for (const [words, said] of [
      [['TRIED'], /nothing to try/],
      [['TRIED', '--ratio', '2'], /from 0 to 1/],
      [['NOWHERE', '--mode', 'act'], /bank 'NOWHERE' not found/],
    ] as const) {
      const { code, err } = await blobwatch(['policy', 'dry-run', ...words])
      assert.equal(code, 2)
      assert.match(err, said)
    }
  })
})
