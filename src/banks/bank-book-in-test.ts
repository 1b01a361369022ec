// A book of banks in a test: what others change meanwhile, cut connections, a database from a backup.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import { connect } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import type { BankIndex, IndexChange, AnyBatch } from '../domain/signal-batch.ts'
import { createLinearMatcher } from '../matching/linear-matcher.ts'
import { principalId } from '../steps/withdraw.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import type { TestDatabase } from '../testing/database.ts'
import { createBankBook } from './bank-book.ts'
import type { BankBook } from './bank-book.ts'
import { addContent, bankNamed, createBank, setBank } from './bank-store.ts'

export const nowMs = Date.parse('2026-11-21T12:00:00.000Z')
export const clock = () => nowMs

export async function start(t: TestContext) {
  const database = await testDatabase(t)
  await principalId(database.app, { kind: 'person', name: 'erin', nowMs })
  const warned: string[] = []
  const log = {
    ...silentLog,
    warn: (_message: string, fields?: { outcome?: string }) =>
      void warned.push(fields?.outcome ?? ''),
  }
  const book = await openBook(t, database.app, undefined, log)
  return { database, db: database.app, book, log, warned }
}

export async function openBook(
  t: TestContext,
  db: Database,
  createIndex: () => BankIndex = () => createLinearMatcher({ clock }),
  log: typeof silentLog = silentLog,
): Promise<BankBook> {
  const book = createBankBook({ db, clock, log, createIndex })
  t.after(() => book[Symbol.asyncDispose]())
  await book.refresh()
  return book
}

export function anotherConnection(t: TestContext, database: TestDatabase): Database {
  const db = connect(database.appAddress, { max: 1, applicationName: 'other', log: silentLog })
  t.after(() => db.end({ timeout: 1 }))
  return db
}

/** The index with something in between: the outage, the other process, the onlooker. */
export function between(
  index: BankIndex,
  does: { onFirstBatch?: () => Promise<void>; onApply?: (change: IndexChange) => void },
): BankIndex {
  const ids = new Set<number>()
  const notTwice = ({ signalIds }: AnyBatch) => {
    for (const id of signalIds) assert.ok(!ids.has(id), `signal ${id} is added twice`)
    for (const id of signalIds) ids.add(id)
  }
  return {
    ...index,
    load: (batches, state) =>
      index.load(
        (async function* () {
          let isFirst = true
          for await (const batch of batches) {
            if (isFirst) await does.onFirstBatch?.()
            isFirst = false
            notTwice(batch)
            yield batch
          }
        })(),
        state,
      ),
    apply(change) {
      does.onApply?.(change)
      change.added.forEach(notTwice)
      index.apply(change)
    },
  }
}

/** Ends the connections of an application; how many they were. */
export async function cutOff(
  t: TestContext,
  database: TestDatabase,
  name: string,
): Promise<number> {
  const superuser = connect(database.superuserAddress, {
    max: 1,
    applicationName: 'test admin',
    log: silentLog,
  })
  t.after(() => superuser.end({ timeout: 1 }))
  const ended = await superuser`select pg_terminate_backend(pid) from pg_stat_activity
    where application_name like ${`${name} %`} and datname = ${database.name}`
  return ended.length
}

export async function found(book: BankBook, text: string): Promise<number[]> {
  const { matches } = await book.matcher.match({ sha256: sha256(text) })
  return matches.map((match) => match.contentId)
}

export async function makeBank(db: Database, name: string): Promise<void> {
  await createBank(db, { name, mode: 'observe', class: 'restricted', principal: 1, nowMs })
}

export async function add(db: Database, bank: string, texts: string[]): Promise<number> {
  const signals = texts.map((text) => ({ type: 'sha256' as const, value: sha256(text) }))
  return (await addContent(db, { bank, signals, principal: 1, nowMs })).content
}

export async function addPdq(db: Database, bank: string, text: string): Promise<number> {
  const signals = [{ type: 'pdq' as const, value: pdqNear(text, 0), quality: 100 }]
  return (await addContent(db, { bank, signals, principal: 1, nowMs })).content
}

export async function setDistance(
  db: Database,
  name: string,
  pdqDistanceMax: number,
): Promise<void> {
  const { version: _, ...policy } = (await bankNamed(db, name)).policy
  await setBank(db, { name, policy: { ...policy, pdqDistanceMax }, principal: 1, nowMs })
}

/** As an import brings them in: many contents, one statement, one generation. Signals of `${named} 1` and so on. */
export async function importMany(
  owner: Database,
  input: { bank: string; contents: number; named: string; type?: 'sha256' | 'pdq' },
): Promise<number> {
  const { bank, contents, named, type = 'sha256' } = input
  const [row] = await owner<{ generation: number }[]>`
    with head as (update bank_head set generation = generation + 1 returning generation),
    noted as (
      insert into bank_change (generation, op, bank, principal, at)
      select head.generation, 'import', b.id, 1, to_timestamp(${nowMs / 1000}) from head, bank b where b.name = ${bank}
      returning bank
    ),
    made as (
      insert into bank_content (bank, created_at)
      select noted.bank, now() from noted, generate_series(1, ${contents}::integer)
      returning id
    ),
    numbered as (select id, row_number() over (order by id) as n from made),
    signals as (
      insert into bank_signal (content, type, value, added_generation)
      select numbered.id, ${type}::text, sha256(convert_to(${named}::text || ' ' || numbered.n, 'UTF8')), head.generation
      from numbered, head order by numbered.id
    )
    select generation from head`
  return row?.generation ?? 0
}

export async function removeMany(owner: Database, bank: string): Promise<number> {
  const [row] = await owner<{ generation: number }[]>`
    with head as (update bank_head set generation = generation + 1 returning generation),
    gone as (
      update bank_content set removed_at = now()
      where bank = (select id from bank where name = ${bank}) and removed_at is null returning id
    ),
    signals as (
      update bank_signal s set state = 'removed', removed_generation = head.generation
      from head, gone where s.content = gone.id and s.removed_generation is null
    )
    select generation from head`
  return row?.generation ?? 0
}

/** What a backup of the bank tables would bring back, ids and numbers to come included. */
export async function snapshot(owner: Database) {
  const [head] = await owner<{ generation: number }[]>`select generation from bank_head`
  const ids = async (table: string) => {
    const [row] = await owner<
      { last: number }[]
    >`select coalesce(max(id), 0) as last from ${owner(table)}`
    return row?.last ?? 0
  }
  const contents = await ids('bank_content')
  const signals = await ids('bank_signal')
  return {
    async restore() {
      await owner`delete from bank_signal where id > ${signals}`
      await owner`delete from bank_content where id > ${contents}`
      await owner`delete from bank_change where generation > ${head?.generation ?? 0}`
      await owner`update bank_head set generation = ${head?.generation ?? 0}`
      await owner`delete from job`
      await owner`select setval(pg_get_serial_sequence('bank_content', 'id'), ${contents + 1}, false),
        setval(pg_get_serial_sequence('bank_signal', 'id'), ${signals + 1}, false)`
    },
  }
}

export async function eventually(work: () => Promise<void>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      await work()
      return
    } catch (error) {
      if (tries > 50) throw error
    }
  }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** A hash as a picture might have it, with the first `bits` bits turned. */
export function pdqNear(text: string, bits: number): string {
  const bytes = createHash('sha256').update(`pdq ${text}`).digest()
  for (let bit = 0; bit < bits; bit += 1) bytes[bit >> 3]! ^= 1 << (bit & 7)
  return bytes.toString('hex')
}

/** Whole numbers below the one asked for, the same in every run. */
export function seeded(seed: string): (below: number) => number {
  let drawn = 0
  return (below) => {
    drawn += 1
    return createHash('sha256').update(`${seed} ${drawn}`).digest().readUInt32BE() % below
  }
}
