// An HMA filled with what real ones have, and with what they should not have.
import { createHash } from 'node:crypto'
import type { Database } from '../db/client.ts'

export const pdqOf = (n: number) => createHash('sha256').update(`pdq ${n}`).digest('hex')
export const md5Of = (n: number) => createHash('md5').update(`${n}`).digest('hex')

/** Written by anybody who may write to HMA's database; to unpickle it would run `touch`. */
export const pickled = "cposix\nsystem\n(S'touch /tmp/blobwatch-was-unpickled'\ntR."

/**
 * Banks PLAIN (1), HALF (2), PARTNER (3, an exchange's), `lower` (4, a name that no API takes). Contents: 10 to 19 in PLAIN,
 * 20 to 22 in HALF, 30 and 31 in PARTNER, 40 in `lower`, and the odd ones from 100 on.
 */
export async function fillHma(hma: Database): Promise<void> {
  await hma
    .unsafe(
      `
    insert into exchange values (7, 'PARTNER', 'ncmec', true, true, true,
      '{"name":"PARTNER","api":"ncmec","enabled":true,"only_esp_ids":[1, 2]}');
    insert into exchange_fetch_status values (7, null, true, 1700000100, true, 1700000000, '{"get_entries_max_ts":1700000000}');
    insert into exchange_api_config values (1, 'ncmec', '{"user":"u","password":"hunter2"}');
    insert into signal_type_override values (1, 'pdq', 0.25);
    insert into bank values (1, 'PLAIN', 1, null), (2, 'HALF', 0.5, null), (3, 'PARTNER', 1, 7), (4, 'lower', 1, null);
    insert into exchange_data (id, collab_id, fetch_id, pickled_fetch_signal_metadata, fetched_metadata_summary, matched)
    values (50, 7, '12-abc', decode('${Buffer.from(pickled).toString('hex')}', 'hex'), '[{"tags":["A1"]}]', false),
      (51, 7, '12-def', null, '[]', false), (52, 7, '12-nothing', null, '[]', false);
  `,
    )
    .simple()
  const content = async (
    id: number,
    bank: number,
    signals: Record<string, string>,
    more: {
      ts?: number | null
      note?: string
      metadata?: string
      record?: number
      uri?: string
    } = {},
  ) => {
    await hma`insert into bank_content values (${id}, ${bank}, ${more.record ?? null}, ${more.ts ?? 1}, ${more.uri ?? null},
      ${more.note ?? null}, ${more.metadata ?? null}::text::json)`
    for (const [type, value] of Object.entries(signals))
      await hma`insert into content_signal values (${id}, ${type}, ${value}, '2024-05-01 10:11:12.345678+00')`
  }
  for (let id = 10; id < 20; id++) await content(id, 1, { pdq: pdqOf(id), video_md5: md5Of(id) })
  // The same signal as in PLAIN.
  await content(20, 2, { pdq: pdqOf(10) })
  await content(21, 2, { video_md5: md5Of(21) }, { ts: 0, note: 'ünïcödé 😀 "quoted"' })
  await content(
    22,
    2,
    { video_sha256: pdqOf(22) },
    { ts: 1_900_000_000, uri: 'https://example.test/a' },
  )
  await content(30, 3, { pdq: pdqOf(30) }, { record: 50 })
  await content(31, 3, { video_md5: md5Of(31) }, { record: 51, metadata: 'null' })
  await content(40, 4, { pdq: pdqOf(40) })
  await content(
    100,
    1,
    { pdq: pdqOf(100).toUpperCase() },
    { metadata: '{"content_id":"x","json":{"n":12345678901234567890,"ü":"😀"}}' },
  )
  await content(
    101,
    1,
    { pdq: 'nothex', video_md5: md5Of(101) },
    { metadata: '{"json":{"a":"b\\u0000c","d":"\\ud800"}}' },
  )
  await content(102, 1, { pdq: '0'.repeat(64) })
  await content(103, 1, { vpdq: '["aa,100,0"]', raw_text: 'words', url: 'https://example.test/' })
  await content(104, 1, { video_md5: 'd41d8cd98f00b204e9800998ecf8427e' })
  await content(
    105,
    1,
    { pdq: pdqOf(105), vpdq: '[]' },
    { metadata: JSON.stringify({ json: { big: 'x'.repeat(20_000) } }), note: 'n'.repeat(255) },
  )
  await content(106, 1, {})
}
