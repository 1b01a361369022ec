// HMA's rows as they lie in its tables. A content comes with its signals and its provenance in one statement, so that a page
// is of one moment; pages are of different moments, and what changed in between comes with the next import.
//
// Never read: the pickled bytes of exchange_data. To unpickle is to run whatever is in them.
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { askHma } from './hma-database.ts'
import { contentIdMax } from './hma-steps.ts'
import type { HmaFacts } from './hma-database.ts'

export const hmaRowLimits = {
  pageContents: 10_000,
  /** Of one signal; longer ones are of no type that we hold. */
  signalChars: 200,
  noteChars: 2_000,
  /** Of metadata and of what an exchange told: longer is left behind, and counted. */
  jsonChars: 16_384,
  uriChars: 4_096,
  /** One more than a name has at most. */
  nameChars: 256,
  /** Of an exchange's configuration, of its checkpoint, of credentials. */
  exchangeChars: 1_000_000,
  /** Of the names of other types that one content has. */
  otherChars: 4_000,
  banks: 10_000,
  exchanges: 1_000,
} as const

export type HmaBank = { id: number; name: string; ratio: number | null; exchange: number | null }

export async function readHmaBanks(hma: Database): Promise<HmaBank[]> {
  return askHma(
    'read the banks',
    hma<HmaBank[]>`
      select id, left(name, ${hmaRowLimits.nameChars}::integer) as name, enabled_ratio::float8 as ratio,
        import_from_exchange_id as exchange
      from bank order by id limit ${hmaRowLimits.banks + 1}`,
  )
}

export type HmaExchange = {
  id: number
  name: string
  api: string
  enabled: boolean | null
  /** JSON as text. */
  config: string | null
  kept: { retainApiData: boolean | null; retainUnknown: boolean | null }
  checkpointTs: number | null
  checkpoint: string | null
  status: {
    startedTs: number | null
    completeTs: number | null
    succeeded: boolean | null
    upToDate: boolean | null
  } | null
  fetchedItems: number
  isTooLong: boolean
}

export async function readHmaExchanges(hma: Database, { has }: HmaFacts): Promise<HmaExchange[]> {
  const { nameChars, exchangeChars } = hmaRowLimits
  const column = (table: string, name: string, alias: string) =>
    has.has(`${table}.${name}`) ? hma`${hma(alias)}.${hma(name)}` : hma`null`
  const rows = await askHma(
    'read the exchanges',
    hma<
      (Omit<HmaExchange, 'kept' | 'status'> & {
        retainApiData: boolean | null
        retainUnknown: boolean | null
        hasStatus: boolean
        startedTs: number | null
        completeTs: number | null
        succeeded: boolean | null
        upToDate: boolean | null
      })[]
    >`
      select e.id, left(e.name, ${nameChars}::integer) as name, left(e.api_cls, ${nameChars}::integer) as api,
        e.fetching_enabled as enabled, case when length(e.typed_config::text) <= ${exchangeChars} then e.typed_config::text end as config,
        greatest(length(e.typed_config::text), length(f.checkpoint_json::text)) > ${exchangeChars} as "isTooLong",
        ${column('exchange', 'retain_api_data', 'e')} as "retainApiData",
        ${column('exchange', 'retain_data_with_unknown_signal_types', 'e')} as "retainUnknown",
        f.collab_id is not null as "hasStatus", f.checkpoint_ts as "checkpointTs",
        case when length(f.checkpoint_json::text) <= ${exchangeChars} then f.checkpoint_json::text end as checkpoint,
        ${column('exchange_fetch_status', 'running_fetch_start_ts', 'f')} as "startedTs",
        ${column('exchange_fetch_status', 'last_fetch_complete_ts', 'f')} as "completeTs",
        ${column('exchange_fetch_status', 'last_fetch_succeeded', 'f')} as succeeded,
        ${column('exchange_fetch_status', 'is_up_to_date', 'f')} as "upToDate",
        (select count(*) from exchange_data d where d.collab_id = e.id) as "fetchedItems"
      from exchange e left join exchange_fetch_status f on f.collab_id = e.id
      order by e.id limit ${hmaRowLimits.exchanges + 1}`,
  )
  return rows.map(
    ({
      retainApiData,
      retainUnknown,
      hasStatus,
      startedTs,
      completeTs,
      succeeded,
      upToDate,
      ...row
    }) => ({
      ...row,
      kept: { retainApiData, retainUnknown },
      status: hasStatus ? { startedTs, completeTs, succeeded, upToDate } : null,
    }),
  )
}

export async function readHmaSignalTypes(
  hma: Database,
): Promise<{ name: string; ratio: number }[]> {
  return askHma(
    'read the ratios of signal types',
    hma<{ name: string; ratio: number }[]>`
      select left(name, ${hmaRowLimits.nameChars}::integer) as name, enabled_ratio::float8 as ratio
      from signal_type_override order by 1 limit 1000`,
  )
}

/** In plain text there. Ask only when somebody wants them. */
export async function readHmaCredentials(
  hma: Database,
): Promise<{ api: string; credentials: string }[]> {
  const [right] = await askHma(
    'look for the credentials',
    hma<{ may: boolean }[]>`select has_table_privilege('exchange_api_config', 'SELECT') as may`,
  )
  if (right?.may !== true)
    throw new UsageError(
      'this role may not read the credentials: grant select on exchange_api_config to it, or leave out --credentials',
    )
  return askHma(
    'read the credentials',
    hma<{ api: string; credentials: string }[]>`
      select api, default_credentials_json::text as credentials from exchange_api_config
      where default_credentials_json is not null and default_credentials_json::text not in ('null', '{}')
        and length(default_credentials_json::text) <= ${hmaRowLimits.exchangeChars}
      order by api limit 100`,
  )
}

export type HmaCounts = { contents: number; signals: number; lastContent: number; orphans: number }

export async function countHma(hma: Database): Promise<HmaCounts> {
  const [row] = await askHma(
    'count the contents',
    hma<HmaCounts[]>`
      select count(*) as contents, least(coalesce(max(id), 0), ${contentIdMax}::bigint) as "lastContent",
        (select count(*) from content_signal) as signals,
        (select count(*) from exchange_data d where not exists (
          select from bank_content c where c.imported_from_id = d.id)) as orphans
      from bank_content`,
  )
  return row ?? { contents: 0, signals: 0, lastContent: 0, orphans: 0 }
}

/** A content and its signals. Texts that are too long are null and say so. */
export type HmaRow = {
  id: number
  bank: number
  disableUntilTs: number | null
  uri: string | null
  note: string | null
  noteTooLong: boolean | null
  metadata: string | null
  metadataTooLong: boolean | null
  created: string | null
  pdq: string | null
  md5: string | null
  sha256: string | null
  clip: string | null
  /** Types of its other signals, with commas. */
  others: string | null
  record: number | null
  collab: number | null
  fetchId: string | null
  summary: string | null
  summaryTooLong: boolean | null
}

/** The next contents by number; fewer than a page: there are no more. */
export async function readHmaPage(
  hma: Database,
  { has }: HmaFacts,
  input: { after: number; limit: number },
): Promise<HmaRow[]> {
  const { signalChars, noteChars, jsonChars, uriChars, otherChars } = hmaRowLimits
  const note = has.has('bank_content.note') ? hma`c.note` : hma`null::text`
  const metadata = has.has('bank_content.bank_content_metadata')
    ? hma`c.bank_content_metadata::text`
    : hma`null::text`
  const summary = has.has('exchange_data.fetched_metadata_summary')
    ? hma`d.fetched_metadata_summary::text`
    : hma`null::text`
  const value = (type: string) =>
    hma`max(left(s.signal_val, ${signalChars}::integer)) filter (where s.signal_type = ${type})`
  return askHma(
    'read the contents',
    hma<HmaRow[]>`
      with page as materialized (
        select * from bank_content where id > ${input.after} order by id limit ${input.limit}
      )
      select c.id, c.bank_id as bank, least(c.disable_until_ts, ${contentIdMax}::bigint)::integer as "disableUntilTs", left(c.original_content_uri, ${uriChars}::integer) as uri,
        case when length(${note}) <= ${noteChars} then ${note} end as note, length(${note}) > ${noteChars} as "noteTooLong",
        case when length(${metadata}) <= ${jsonChars} then ${metadata} end as metadata,
        length(${metadata}) > ${jsonChars} as "metadataTooLong",
        g.created, g.pdq, g.md5, g.sha256, g.clip, g.others,
        d.id as record, d.collab_id as collab, left(d.fetch_id, ${uriChars}::integer) as "fetchId",
        case when length(${summary}) <= ${jsonChars} then ${summary} end as summary, length(${summary}) > ${jsonChars} as "summaryTooLong"
      from page c
      left join lateral (
        select case when min(s.create_time) between '1970-01-01' and '9999-12-31' then min(s.create_time)::text end as created, ${value('pdq')} as pdq, ${value('video_md5')} as md5,
          ${value('video_sha256')} as sha256, ${value('clip')} as clip,
          left(string_agg(left(s.signal_type, 64), ',' order by s.signal_type)
            filter (where s.signal_type not in ('pdq', 'video_md5', 'video_sha256', 'clip')), ${otherChars}::integer) as others
        from content_signal s where s.content_id = c.id
      ) g on true
      left join exchange_data d on d.id = c.imported_from_id
      order by c.id`,
  )
}
