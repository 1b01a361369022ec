import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { groupTypes } from './changes.ts'
import { complianceCsv } from './compliance-csv.ts'
import { complianceText } from './compliance-text.ts'
import { counts, entry, hourMs, log, reportOf, seed, startMs } from './entries-in-test.ts'
import { figure, span, table } from './markdown.ts'

describe('the report', () => {
  const bad = counts({ hour: 0, blobs: 5, clear: 4 })

  test('says loudly when the sum does not hold, when hours lack and when nothing is anchored', () => {
    const good = complianceText(reportOf([counts({ hour: 0, blobs: 5, clear: 5 })]))
    assert.match(good, /\*\*The sum holds:\*\* 5 seen = 5 clear/)
    assert.match(good, /HOURS WITHOUT A COUNT: 47/)
    assert.match(good, /\*\*NONE\*\*/)
    const text = complianceText(reportOf([bad]))
    assert.match(text, /\*\*THE SUM DOES NOT HOLD:\*\* 5 seen/)
    assert.match(text, /entry 0/)
    assert.ok(!text.includes('The sum holds'))
    assert.equal(reportOf([bad]).holds, false)
  })

  test('has every entry of the period under one heading of its types', () => {
    fc.assert(
      fc.property(log, (entries) => {
        const { changes, ledger } = reportOf(entries)
        const counted = changes.counts.flatMap((group) => group.types)
        assert.equal(
          counted.reduce((sum, one) => sum + one.entries, 0),
          ledger.entries,
        )
        assert.equal(new Set(counted.map((one) => one.type)).size, counted.length)
      }),
      { numRuns: 100, seed },
    )
    assert.equal(groupTypes(new Map([['unheard.of', 1]]))[0]?.group, 'Other')
  })

  test('tells what changed of a policy and a mode, and who did it by number', () => {
    const { changes } = reportOf([
      entry(4, 'bank.set', {
        bank: 'b1',
        mode: 'act',
        policy: { exact: 'act', actions: ['label', 'takedown-blob'] },
        before: { mode: 'hold', policy: { exact: 'hold', actions: ['label'], label: 'spam' } },
      }),
    ])
    assert.deepEqual(changes.told, [
      {
        seq: 4,
        at: new Date(startMs + 4 * hourMs).toISOString(),
        type: 'bank.set',
        principal: 3,
        bank: 'b1',
        what: 'mode hold → act, actions label → label+takedown-blob, exact hold → act, label spam → none',
        bankName: 'SPAM',
      },
    ])
  })

  test('as CSV has four fields a line whatever stands in it', () => {
    const csv = complianceCsv({ ...reportOf([bad]), deployment: 'a "b", c\nd' })
    const rows = parseCsv(csv)
    assert.deepEqual(rows[0], ['section', 'key', 'value', 'unit'])
    assert.ok(rows.every((row) => row.length === 4))
    assert.ok(rows.some((row) => row[1] === 'deployment' && row[2] === 'a "b", c\nd'))
    const seen = rows.find(([section, key]) => section === 'completeness' && key === 'all seen')
    assert.equal(seen?.[2], '5')
  })
})

/** RFC 4180, strictly: fails on anything else. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = []
  let at = 0
  while (at < text.length) {
    const row: string[] = []
    for (;;) {
      const [whole, quoted, bare] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))/.exec(text.slice(at)) ?? []
      row.push(quoted === undefined ? (bare ?? '') : quoted.replaceAll('""', '"'))
      at += whole?.length ?? 0
      if (text[at] !== ',') break
      at += 1
    }
    assert.equal(text.slice(at, at + 2), '\r\n')
    at += 2
    rows.push(row)
  }
  return rows
}

test('numbers and spans are written to be read', () => {
  assert.equal(figure(1_234_567), '1\u00A0234\u00A0567')
  assert.deepEqual([0, 0.42, 9.96, 59.6, 61, 3600, 90_061, 86_400 * 40].map(span), [
    '0 s',
    '0.4 s',
    '10 s',
    '1 min',
    '1 min 1 s',
    '1 h',
    '1 d 1 h',
    '40 d',
  ])
  assert.deepEqual(table(['a', '>n'], [['x|y', '5']]), [
    '| a    |   n |',
    '| ---- | --: |',
    String.raw`| x\|y |   5 |`,
  ])
})
