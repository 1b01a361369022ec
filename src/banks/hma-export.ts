// Our banks as HMA's tables, in the order in which they can be written: rows as COPY text, contents with their numbers.
//
// Promises: what HMA can hold is what it would have had: numbers, notes, metadata, ratios, provenance and exchanges come back
// as they came. What it cannot hold is counted. Constant memory. Reads only; who may have the values is the caller's question.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type ExportedBank = {
  id: number
  name: string
  mode: string
  class: string
  confidential: boolean
  isNegative: boolean
  ratio: number
  pdqDistanceMax: number
  contents: number
  /** HMA's number, old or new. */
  hmaId: number
}

/** All banks, with the numbers that they have or get in HMA. */
export async function banksForHma(db: Database): Promise<ExportedBank[]> {
  return ask(
    'read the banks',
    db<ExportedBank[]>`
      select b.id, b.name, b.mode, b.class, b.confidential, b.policy ? 'suppresses' as "isNegative",
        coalesce((b.policy->>'ratio')::float8, 1) as ratio, coalesce((b.policy->>'pdqDistanceMax')::integer, 31) as "pdqDistanceMax",
        (select count(*) from bank_content c where c.bank = b.id and c.removed_at is null) as contents,
        coalesce(h.hma_id, (select coalesce(max(hma_id), 0) from hma_bank)
          + (row_number() over (partition by h.hma_id is null order by b.id))::integer) as "hmaId"
      from bank b left join hma_bank h on h.bank = b.id
      where b.removed_at is null order by b.id`,
  )
}

export type HmaTableRows = {
  table: string
  columns: string[]
  /** COPY text: lines, each with its end. */
  text: string
  rows: number
}

export type ExportLoss = Map<string, number>

const pageRows = 10_000

/** The parts of the tables, in their order. `lost` is complete at the end. */
export async function* rowsForHma(
  db: Database,
  banks: readonly ExportedBank[],
  lost: ExportLoss,
): AsyncGenerator<HmaTableRows> {
  const exchanges = await readExchanges(db, banks)
  yield part('exchange', exchanges.map(exchangeRow))
  yield part('exchange_fetch_status', exchanges.flatMap(statusRow))
  const exchangeOf = new Map(exchanges.map(({ bank, hmaId }) => [bank, hmaId]))
  yield part(
    'bank',
    banks.map((bank) => [bank.hmaId, bank.name, bank.ratio, exchangeOf.get(bank.id) ?? null]),
  )
  const types = await ask(
    'read the ratios of signal types',
    db<{ name: string; ratio: number }[]>`
      select name, enabled_ratio as ratio from hma_type_override order by name`,
  )
  yield part(
    'signal_type_override',
    types.map(({ name, ratio }) => [name, ratio]),
  )
  const hmaIds = new Map(banks.map(({ id, hmaId }) => [id, hmaId]))
  const byName = new Map(exchanges.map(({ name, hmaId }) => [name, hmaId]))
  const records = { next: (await lastRecord(db)) + 1 }
  for (let after = 0; ;) {
    const page = await readPage(db, after)
    yield* contentParts(page, { hmaIds, byName, exchangeOf, records, lost })
    if (page.length < pageRows) return
    after = page.at(-1)?.id ?? after
  }
}

/** Every table's columns as we write them. The others may be empty: HMA's tables have no defaults, its client has them. */
const columns: Record<string, string[]> = {
  exchange: [
    'id',
    'name',
    'api_cls',
    'retain_api_data',
    'fetching_enabled',
    'retain_data_with_unknown_signal_types',
    'typed_config',
  ],
  exchange_fetch_status: [
    'collab_id',
    'running_fetch_start_ts',
    'last_fetch_succeeded',
    'last_fetch_complete_ts',
    'is_up_to_date',
    'checkpoint_ts',
    'checkpoint_json',
  ],
  bank: ['id', 'name', 'enabled_ratio', 'import_from_exchange_id'],
  signal_type_override: ['name', 'enabled_ratio'],
  exchange_data: ['id', 'collab_id', 'fetch_id', 'fetched_metadata_summary', 'matched'],
  bank_content: [
    'id',
    'bank_id',
    'imported_from_id',
    'disable_until_ts',
    'original_content_uri',
    'bank_content_metadata',
    'note',
  ],
  content_signal: ['content_id', 'signal_type', 'signal_val', 'create_time'],
}

/** Tables whose numbers HMA draws from a sequence. */
export const numberedTables = ['exchange', 'bank', 'exchange_data', 'bank_content'] as const

type Field = string | number | boolean | null

function part(table: string, rows: Field[][]): HmaTableRows {
  return {
    table,
    columns: columns[table] ?? [],
    text: rows.map(copyLine).join(''),
    rows: rows.length,
  }
}

/** https://www.postgresql.org/docs/current/sql-copy.html, Text Format. */
function copyLine(fields: Field[]): string {
  return `${fields.map(copyField).join('\t')}\n`
}

const escapes: Record<string, string> = {
  '\\': String.raw`\\`,
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
}

function copyField(field: Field): string {
  if (field === null) return String.raw`\N`
  if (typeof field === 'boolean') return field ? 't' : 'f'
  return String(field).replaceAll(/[\\\n\r\t]/g, (one) => escapes[one] ?? one)
}

type Exchange = {
  hmaId: number
  name: string
  bank: number
  api: string
  config: string
  enabled: boolean
  checkpoint: string | null
  checkpointTs: number | null
  /** Of fetches here; null: HMA's own still stand. */
  startedTs: number | null
  completeTs: number | null
  succeeded: boolean | null
  upToDate: boolean | null
  kept: {
    retainApiData?: boolean | null
    retainUnknown?: boolean | null
    fetching?: boolean
    isOn?: boolean
    status?: {
      startedTs: number | null
      completeTs: number | null
      succeeded: boolean | null
      upToDate: boolean | null
    } | null
  } | null
}

async function readExchanges(db: Database, banks: readonly ExportedBank[]): Promise<Exchange[]> {
  const rows = await ask(
    'read the exchanges',
    db<Exchange[]>`
      select coalesce(h.hma_id, (select coalesce(max(hma_id), 0) from hma_exchange)
          + (row_number() over (partition by h.hma_id is null order by e.name))::integer) as "hmaId",
        e.name, e.bank, e.api, e.config::text as config, e.enabled, e.checkpoint::text as checkpoint,
        extract(epoch from e.checkpoint_at)::bigint as "checkpointTs", extract(epoch from e.fetch_started_at)::bigint as "startedTs",
        extract(epoch from e.fetch_ended_at)::bigint as "completeTs", e.fetch_ok as succeeded, e.up_to_date as "upToDate", h.kept
      from exchange e left join hma_exchange h on h.name = e.name order by 1`,
  )
  const leaving = new Set(banks.map(({ id }) => id))
  return rows.filter(({ bank }) => leaving.has(bank))
}

/** One that rested here beside HMA goes on in HMA as it was there. */
function exchangeRow({ hmaId, name, api, config, enabled, kept }: Exchange): Field[] {
  const rests = kept !== null && kept.isOn !== true && (kept.fetching ?? true)
  return [
    hmaId,
    name,
    api,
    kept?.retainApiData ?? false,
    enabled || rests,
    kept?.retainUnknown ?? true,
    config,
  ]
}

function statusRow(exchange: Exchange): Field[][] {
  const { hmaId, kept, checkpoint, checkpointTs, completeTs } = exchange
  const status = completeTs === null ? (kept?.status ?? null) : exchange
  if (checkpoint === null && checkpointTs === null && status === null) return []
  return [
    [
      hmaId,
      status?.startedTs ?? null,
      status?.succeeded ?? null,
      status?.completeTs ?? null,
      status?.upToDate ?? false,
      checkpointTs,
      checkpoint,
    ],
  ]
}

type Content = {
  id: number
  bank: number
  disableUntilTs: number
  note: string | null
  metadata: string | null
  uri: string | null
  record: number | null
  exchange: string | null
  /** It came from the bank's exchange here, and has no record of HMA's. */
  isFetched: boolean
  fetchId: string | null
  summary: string | null
  created: string
  isHma: boolean
  isHeld: boolean
  /** `type value` with a space. */
  signals: string[]
}

async function lastRecord(db: Database): Promise<number> {
  const [row] = await ask(
    'find the last record of HMA',
    db<{ record: number | null }[]>`
      select max((provenance#>>'{hma,record}')::integer) as record from bank_content where source = 'hma'`,
  )
  return row?.record ?? 0
}

function readPage(db: Database, after: number): Promise<Content[]> {
  return ask(
    'read the contents',
    db<Content[]>`
      with page as materialized (
        select * from bank_content where id > ${after} and removed_at is null order by id limit ${pageRows}
      )
      select c.id, c.bank, c.disable_until_ts as "disableUntilTs", c.note, c.metadata::text as metadata,
        c.provenance->>'originalUri' as uri, (c.provenance#>>'{hma,record}')::integer as record,
        c.provenance#>>'{hma,exchange}' as exchange, coalesce(c.source = 'exchange', false) as "isFetched",
        coalesce(c.provenance#>>'{hma,fetchId}', c.source_key) as "fetchId",
        case when c.source = 'exchange' then jsonb_build_array(jsonb_build_object('tags', c.provenance->'tags'))
          else c.provenance#>'{hma,summary}' end::text as summary, (c.created_at at time zone 'UTC')::text || '+00' as created,
        c.hma_state is not null as "isHma", c.held_at is not null as "isHeld", array(
          select s.type || ' ' || encode(s.value, 'hex') from bank_signal s
          where s.content = c.id and s.state = 'live' order by s.type, s.id) as signals
      from page c order by c.id`,
  )
}

const hmaNames: Record<string, string> = { pdq: 'pdq', md5: 'video_md5' }
/** Of a content that came from HMA these are what HMA called so. */
const onlyHma: Record<string, string> = { sha256: 'video_sha256', clip: 'clip' }

const noteCharsMax = 255
const intMax = 2_147_483_647

function* contentParts(
  page: Content[],
  names: {
    hmaIds: Map<number, number>
    byName: Map<string, number>
    exchangeOf: Map<number, number>
    records: { next: number }
    lost: ExportLoss
  },
): Generator<HmaTableRows> {
  const { lost } = names
  const records: Field[][] = []
  const contents: Field[][] = []
  const signals: Field[][] = []
  for (const content of page) {
    const bank = names.hmaIds.get(content.bank)
    if (bank === undefined) continue
    const mine = signalRows(content, lost)
    if (mine.length === 0) {
      lose(lost, 'content without a signal that HMA holds')
      continue
    }
    signals.push(...mine)
    const { isFetched } = content
    const collab = isFetched
      ? names.exchangeOf.get(content.bank)
      : names.byName.get(content.exchange ?? '')
    const known = isFetched ? names.records.next++ : content.record
    const record = collab === undefined ? null : known
    if (record !== null && collab !== undefined)
      records.push([record, collab, content.fetchId ?? '', content.summary ?? '[]', false])
    if (content.note !== null && Array.from(content.note).length > noteCharsMax)
      lose(lost, 'end of a long note')
    if (content.isHeld) lose(lost, 'that a flood set a content aside: it matches in HMA')
    contents.push([
      content.id,
      bank,
      record,
      Math.min(content.disableUntilTs, intMax),
      content.uri,
      content.metadata,
      content.note === null ? null : Array.from(content.note).slice(0, noteCharsMax).join(''),
    ])
  }
  yield part('exchange_data', records)
  yield part('bank_content', contents)
  yield part('content_signal', signals)
}

/** HMA has one of a type for each content. */
function signalRows({ id, signals, created, isHma }: Content, lost: ExportLoss): Field[][] {
  const rows = new Map<string, Field[]>()
  for (const signal of signals) {
    const [type = '', value = ''] = signal.split(' ')
    const name = hmaNames[type] ?? (isHma ? onlyHma[type] : undefined)
    if (name === undefined) lose(lost, `signal of type ${type}`)
    else if (rows.has(name)) lose(lost, `second signal of type ${type} of a content`)
    else rows.set(name, [id, name, value, created])
  }
  return [...rows.values()]
}

function lose(lost: ExportLoss, what: string): void {
  lost.set(what, (lost.get(what) ?? 0) + 1)
}
