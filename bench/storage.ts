// How many bytes of Postgres an image costs once everything about it is settled (DATA.md, rule 4).
//
// Rows are written set-wise in the shapes that the steps write them, in the order they would arrive, so that indexes
// split as they do in service; then vacuumed and weighed, file by file.
import { ask } from '../src/db/client.ts'
import type { Database } from '../src/db/client.ts'
import { coverageOf } from '../src/domain/blob.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { round } from './machine.ts'
import { scratchDatabase } from './scratch.ts'

const goal = { bytesPerImage: 500 } as const
const images = { full: 1_000_000, quick: 300_000 } as const
const imagesPerAccount = 10
/** After each the job table is vacuumed; a hundredth of all are open at once, as in a small backlog. */
const batches = 100

export const bench: Bench = {
  about: 'bytes of Postgres for an image, all tables and indexes',
  run: weighImages,
}

async function weighImages({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const count = quick ? images.quick : images.full
  await using scratch = await scratchDatabase({ waitsForDisk: false })
  const { owner } = scratch
  await defineTexts(owner)
  const emptyBytes = totalBytes(await weigh(owner))
  const batchSize = count / batches
  for (let from = 0; from < count; from += batchSize) {
    signal.throwIfAborted()
    await writeBatch(owner, { from, to: Math.min(from + batchSize, count), count })
    await owner`vacuum job`
    if (from % (count / 10) === 0) tell(`${from} of ${count} images`)
  }
  await owner.unsafe('vacuum analyze')
  return report(await weigh(owner), { count, emptyBytes })
}

/** A base32 text such as a DID or a TID ends in, the same for the same number. */
async function defineTexts(owner: Database): Promise<void> {
  await owner
    .unsafe(
      `create function bench_text(n bigint, salt text, length integer) returns text
       language sql immutable return substring(
         translate(encode(sha256(convert_to(salt || n, 'UTF8')), 'base64'), '+/=189ABCDEFGHIJKLMNOPQRSTUVWXYZ0',
           'abcdefghijklmnopqrstuvwxyz234567'), 1, length)`,
    )
    .simple()
}

/** One batch through take_in, claim and settle, as rows. */
async function writeBatch(
  owner: Database,
  { from, to, count }: { from: number; to: number; count: number },
): Promise<void> {
  const accounts = count / imagesPerAccount
  const coverage = coverageOf({ sha256: '', md5: '', sha1: '', pdq: { hash: '', quality: 0 } })
  // An account is new when its first image arrives; a tenth of all arrivals, evenly.
  await ask(
    'write accounts',
    owner`
      insert into account (did)
      select 'did:plc:' || bench_text(n, 'did', 24)
      from generate_series(${from / imagesPerAccount}::int + 1, ${to / imagesPerAccount}::int) n`,
  )
  await ask(
    'write sightings',
    owner`
      insert into sighting (at, account, blob_cid, record_cid, source, collection, rkey, rev)
      select date_trunc('day', now()) + n * interval '80 milliseconds',
        1 + (hashint8extended(n, 1) & 9223372036854775807) % least(${accounts}::bigint, n / ${imagesPerAccount}::int + 1),
        sha256(convert_to('blob' || n, 'UTF8')), sha256(convert_to('record' || n, 'UTF8')),
        'firehose', 'app.bsky.feed.post',
        '3m' || bench_text(n, 'rkey', 11), '3m' || bench_text(n, 'rev', 11)
      from generate_series(${from}::bigint, ${to - 1}::bigint) n`,
  )
  await ask(
    'write jobs',
    owner`
      insert into job (kind, key, next_at, reason, created_at)
      select 'scan', sha256(convert_to('blob' || n, 'UTF8')), now(), 'sighting', now()
      from generate_series(${from}::bigint, ${to - 1}::bigint) n`,
  )
  await ask(
    'lease jobs',
    owner`
      update job set attempts = 1, lease_token = gen_random_uuid(), lease_until = now() + interval '2 minutes'`,
  )
  await ask(
    'write blobs',
    owner`
      insert into blob (blob_cid, hashed_at, bank_generation, bytes, coverage, quality, verdict, kind, pdq, md5, sha1)
      select sha256(convert_to('blob' || n, 'UTF8')), now(), 1, 300000 + n % 500000, ${coverage}::smallint, 100,
        'clear', 'image', sha256(convert_to('pdq' || n, 'UTF8')), decode(md5('md5' || n), 'hex'),
        substring(sha256(convert_to('sha1' || n, 'UTF8')) from 1 for 20)
      from generate_series(${from}::bigint, ${to - 1}::bigint) n`,
  )
  await ask('end jobs', owner`delete from job`)
}

type Weight = { table: string; part: string; bytes: number; rows: number }

/** Every file of our tables, partitions added up: heap with its maps, toast, each index. */
async function weigh(owner: Database): Promise<Weight[]> {
  return await ask(
    'weigh the tables',
    owner<Weight[]>`
      with leaf as (
        select c.oid, coalesce(pg_partition_root(c.oid), c.oid) as root, c.reltoastrelid as toast,
          greatest(c.reltuples, 0) as rows
        from pg_class c where c.relkind = 'r' and c.relnamespace = 'blobwatch'::regnamespace
      ), file as (
        select root, 'rows' as part, pg_table_size(oid) - coalesce(pg_total_relation_size(nullif(toast, 0)), 0) as bytes, rows
        from leaf
        union all
        select root, 'toast', pg_total_relation_size(toast), 0 from leaf where toast <> 0
        union all
        select leaf.root, 'index ' || coalesce(pg_partition_root(i.indexrelid), i.indexrelid)::regclass::text,
          pg_relation_size(i.indexrelid), 0
        from leaf join pg_index i on i.indrelid = leaf.oid
      )
      select root::regclass::text as table, part, sum(bytes)::bigint as bytes, sum(rows)::bigint as rows
      from file group by 1, 2 having sum(bytes) > 0 order by 3 desc`,
  )
}

function totalBytes(weights: Weight[]): number {
  return weights.reduce((sum, { bytes }) => sum + bytes, 0)
}

function report(
  weights: Weight[],
  { count, emptyBytes }: { count: number; emptyBytes: number },
): BenchResult {
  const total = totalBytes(weights)
  const perImage = (bytes: number) => round(bytes / count, 1)
  const shown = weights.filter(({ bytes }) => bytes / count >= 0.5)
  const rest = total - shown.reduce((sum, { bytes }) => sum + bytes, 0)
  const bytesPerImage = perImage(total)
  return {
    figures: {
      bytesPerImage,
      goalBytesPerImage: goal.bytesPerImage,
      images: count,
      totalBytes: total,
      emptyDatabaseBytes: emptyBytes,
    },
    table: {
      head: ['table', 'part', 'rows', 'bytes', 'bytes per image'],
      rows: [
        ...shown.map(({ table, part, bytes, rows }) => [
          table,
          part,
          part === 'rows' ? rows : '',
          bytes,
          perImage(bytes),
        ]),
        ['all others', '', '', rest, perImage(rest)],
        ['all', '', '', total, bytesPerImage],
      ],
    },
    notes: [
      `${bytesPerImage} bytes per image, goal at most ${goal.bytesPerImage}: ${bytesPerImage <= goal.bytesPerImage ? 'met' : 'MISSED'}`,
      `An empty database has ${emptyBytes} bytes; they are in the figure, ${perImage(emptyBytes)} for each image.`,
    ],
  }
}
