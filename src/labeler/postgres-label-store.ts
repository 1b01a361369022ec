// Reads the tables `label` and `label_head` (migrations/0004-actions.sql).
import { ask } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import { createHeadPoller } from './head-poller.ts'
import { likePattern } from './label-patterns.ts'
import type { LabelQuery, LabelStore, StoredLabel } from './label-store.ts'

export const labelPollMs = 250

export function createPostgresLabelStore(options: {
  database: Database
  pollMs?: number
  onError: (error: unknown) => void
}): LabelStore {
  const { database: sql, pollMs = labelPollMs, onError } = options
  const head = (): Promise<number> => readHead(sql)
  const poller = createHeadPoller({ head, everyMs: pollMs, onError })
  return {
    head,
    after: (seq, limit) => readAfter(sql, seq, limit),
    query: (query) => readMatching(sql, query),
    onChange: (callback) => poller.onChange(callback),
  }
}

/** The head row, not max(seq): the largest row may have been replaced or erased, the head never falls. */
async function readHead(sql: Database): Promise<number> {
  const rows = await ask(
    'read the head of the labels',
    sql<{ seq: number }[]>`select seq from label_head`,
  )
  return rows[0]?.seq ?? 0
}

async function readAfter(sql: Database, seq: number, limit: number): Promise<StoredLabel[]> {
  const rows = await ask(
    'read labels',
    sql<LabelRow[]>`
      select seq, src, uri, cid, val, neg, cts, encode(sig, 'hex') as sig, key_did
      from label where seq > ${seq} order by seq limit ${limit}`,
  )
  return rows.map(toStoredLabel)
}

async function readMatching(sql: Database, query: LabelQuery): Promise<StoredLabel[]> {
  const patterns = query.uriPatterns.map(likePattern)
  const rows = await ask(
    'look for labels',
    sql<LabelRow[]>`
      select seq, src, uri, cid, val, neg, cts, encode(sig, 'hex') as sig, key_did
      from label
      where uri like any (${patterns}::text[])
        and (${query.sources.length === 0} or src = any (${query.sources}::text[]))
        and seq > ${query.afterSeq}
      order by seq limit ${query.limit}`,
  )
  return rows.map(toStoredLabel)
}

type LabelRow = {
  seq: number
  src: string
  uri: string
  cid: string | null
  val: string
  neg: boolean
  cts: string
  sig: string
  key_did: string
}

function toStoredLabel(row: LabelRow): StoredLabel {
  return {
    seq: row.seq,
    src: row.src,
    uri: row.uri,
    ...(row.cid === null ? {} : { cid: row.cid }),
    val: row.val,
    neg: row.neg,
    cts: row.cts,
    sigHex: row.sig,
    keyDid: row.key_did,
  }
}
