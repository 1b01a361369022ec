import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { signalDigits, signalTypes } from '../domain/blob.ts'
import type { OtherType } from '../domain/blob.ts'
import { isOfOther } from '../domain/other-type.ts'
import type { OtherRule, OtherTypes } from '../domain/other-type.ts'
import { csvLine, csvRecords } from './csv.ts'
import { linesOf } from './lines.ts'
import { keyOf, listLimits } from './list-item.ts'
import { listFormats, listHeader, listLine, readList } from './list-format.ts'
import type { ListFormat, ReadLine, WrittenItem } from './list-format.ts'
import type { NewSignal } from './new-signal.ts'
import { refusalOf } from './new-signal.ts'
import { sha256Of } from './bank-in-test.ts'

const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? 20261121)

async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function read(text: string, format: ListFormat, size = 7): Promise<ReadLine[]> {
  return all(readList(chunksOf(text, size), format, others))
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = []
  for await (const item of items) read.push(item)
  return read
}

const digit = fc.integer({ min: 0, max: 15 }).map((n) => n.toString(16))
const hex = (digits: number) =>
  fc.array(digit, { minLength: digits, maxLength: digits }).map((all) => all.join(''))
/** A plug-in's type goes the same way. */
const average: OtherRule = {
  ...{ type: 'average' as OtherType, version: '1', media: ['image'] },
  ...{ digits: 16, radius: 6 },
}
const others: OtherTypes = new Map([[average.type, average]])
const types = [...signalTypes, average.type]
const signal = fc
  .constantFrom(...types)
  .chain((type) =>
    fc.record(
      {
        type: fc.constant(type),
        value: hex(isOfOther(type) ? average.digits : signalDigits[type]),
        ...(type === 'pdq' && { quality: fc.integer({ min: 50, max: 100 }) }),
      },
      { requiredKeys: ['type', 'value'], noNullPrototype: true },
    ),
  )
  .filter((one) => refusalOf(one) === undefined)
/** What is hard for CSV, and what people write. */
const words = fc
  .oneof(
    fc.string({ unit: 'binary' }),
    fc.array(fc.constantFrom('"', ',', '\n', '\r\n', ' ', 'a', '😀', '\\u0000', "'"), {
      maxLength: 12,
    }),
  )
  .map((one) => (Array.isArray(one) ? one.join('') : one))
  .filter((text) => text.trim() !== '' && text.isWellFormed() && !text.includes('\0'))
const item: fc.Arbitrary<WrittenItem> = fc.record(
  {
    id: fc.option(
      words.filter((text) => /^[^#\s]/.test(text)),
      { nil: undefined },
    ),
    signals: fc.array(signal, { minLength: 1, maxLength: 4 }).map(inOrder),
    note: words,
    metadata: fc.dictionary(words, fc.oneof(words, fc.integer(), fc.array(words)), {
      noNullPrototype: true,
    }),
    disableUntilTs: fc.constantFrom(0, 1, 1_800_000_000),
  },
  { requiredKeys: ['signals', 'disableUntilTs'], noNullPrototype: true },
)

/** As the files have them: by type. */
function inOrder(signals: NewSignal[]): NewSignal[] {
  return types.flatMap((type) => signals.filter((one) => one.type === type))
}

for (const format of listFormats) {
  test(`what is written as ${format} is read back equal, whatever is in its words`, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(item, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 50 }),
        async (items, size) => {
          const lines = [
            listHeader(format, types),
            ...items.map((one) => listLine(one, format, types)),
          ]
          const text = lines.filter((line) => line !== undefined).join('\n')
          const back = await read(`${text}\n`, format, size)
          assert.deepEqual(
            back.map((one) => one.item),
            items.map(({ id, ...rest }) => ({ key: id ?? keyOf(rest.signals), ...rest })),
          )
        },
      ),
      { numRuns: 100, seed },
    )
  })
}

test('records of any fields are read back equal, on the lines where they stand', async () => {
  const fields = fc.array(
    fc.string({ unit: 'binary' }).filter((text) => text.isWellFormed()),
    {
      minLength: 2,
      maxLength: 4,
    },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(fields), async (records) => {
      const text = records.map((record) => `${csvLine(record)}\r\n`).join('')
      const lines = linesOf(chunksOf(text, 5), 10_000)
      const back = await all(csvRecords(lines, 10_000))
      assert.deepEqual(
        back.map((one) => one.fields),
        records,
      )
      assert.equal(back.at(-1)?.lastLine ?? 0, text.split('\n').length - 1)
    }),
    { numRuns: 100, seed },
  )
})

test('reads a row of several types as one item, and rows of type and value', async () => {
  const md5 = '9e107d9d372bb6826bd81d3542a419d6'
  const rows = await read(`id,sha256,MD5,note\na1,${sha256Of('a')},${md5},"one, two"\n`, 'csv')
  assert.deepEqual(rows[0]?.item?.signals, [
    { type: 'sha256', value: sha256Of('a') },
    { type: 'md5', value: md5 },
  ])
  assert.equal(rows[0]?.item?.note, 'one, two')
  const typed = await read(`hash,type\n${md5.toUpperCase()},video_md5\n`, 'csv')
  assert.deepEqual(typed[0]?.item?.signals, [{ type: 'md5', value: md5 }])
})

test('each line that cannot be taken has its reason and its number, and the rest is read', async () => {
  const good = sha256Of('good')
  const rows = await read(
    [
      'id,sha256,pdq,quality,metadata,disable_until_ts',
      `1,${good},,,,`,
      '2,xyz,,,,',
      '3,,,,,',
      '4,"unclosed',
      `5,${good},,,,`,
      `6,${sha256Of('')},,,,`,
      `7,${good},${'0'.repeat(64)},,,`,
      `8,${good},,200,,`,
      `9,${good},,,[1],`,
      `10,${good},,,,soon`,
      `#11,${good},,,,`,
      `12,${good}`,
    ].join('\n'),
    'csv',
  )
  assert.deepEqual(
    rows.map(({ line, item, refused }) => [line, item?.key, refused]),
    [
      [2, '1', undefined],
      [3, undefined, 'bad-signal'],
      [4, undefined, 'no-signal'],
      [5, undefined, 'unreadable'],
      [6, '5', undefined],
      [7, undefined, 'empty-file'],
      [8, '7', 'constant'],
      [9, undefined, 'bad-quality'],
      [10, undefined, 'bad-metadata'],
      [11, undefined, 'bad-disable-until'],
      [12, undefined, 'bad-id'],
      [13, undefined, 'columns'],
    ],
  )
})

test('a line longer than the limit is left out, and the next one is read', async () => {
  const good = JSON.stringify({ signals: { sha256: sha256Of('good') } })
  const text = `${'x'.repeat(listLimits.lineChars + 10)}\n${good}\n{"signals":{},"extra":1}\nnull\n`
  const rows = await read(text, 'jsonl', 1000)
  assert.deepEqual(
    rows.map(({ line, item, refused }) => [line, item !== undefined, refused]),
    [
      [1, false, 'unreadable'],
      [2, true, undefined],
      [3, false, 'unknown-field'],
      [4, false, 'unreadable'],
    ],
  )
})

test('a header that names no known column is refused with the columns that there are', async () => {
  for (const header of ['', 'name,sha265', 'id,note', 'sha256,sha256', 'type,id'])
    await assert.rejects(read(`${header}\nx,y\n`, 'csv'), /header row|empty/)
})
