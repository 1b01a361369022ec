// The whole service in this process, beside a real PDS and PLC and on a real Postgres: for stories told end to end.
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseConfig } from '../config.ts'
import { describeAddress } from '../db/address.ts'
import { readEntries, readHead, readPrivate } from '../ledger/read-ledger.ts'
import { createDataKey } from '../ledger/seal.ts'
import { createVerifier } from '../verifier/verify-stored.ts'
import { build } from '../service.ts'
import { ensureRoom } from '../service-database.ts'
import { createLog } from '../telemetry/log.ts'
import { testDatabase } from './database.ts'
import type { TestDatabase } from './database.ts'
import { ADMIN_PASSWORD, startNetwork } from './network.ts'
import type { TestAccount, TestPost } from './network.ts'

const dataKeyHex = '6b'.repeat(32)
const settledMsMax = 120_000
const accountNames = ['alice', 'bob', 'carol']

export type Posted = { did: string; post: TestPost }
export type LedgerLine = { type: string; pub: Record<string, unknown> }
export type RealWorld = Awaited<ReturnType<typeof startRealWorld>>

export async function startRealWorld() {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-real-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const database = await testDatabase({ after: (clean) => stack.defer(clean) })
  await ensureRoom(database.owner, Date.now())
  const network = stack.use(await startNetwork())
  const accounts: TestAccount[] = []
  for (const name of accountNames) accounts.push(await network.createAccount(name))
  const lines: string[] = []
  const kept = stack.move()
  return {
    database,
    accounts,
    /** What the service logged, warnings and worse. */
    lines,
    /** What was posted by the n-th account. */
    account: (n: number) => accounts[n % accounts.length] as TestAccount,

    async start(settings: Record<string, string> = {}) {
      const env = {
        BLOBWATCH_MODE: 'act',
        BLOBWATCH_DATA_DIR: dir,
        BLOBWATCH_DATABASE_URL: describeAddress(database.appAddress),
        BLOBWATCH_DATABASE_OWNER_URL: describeAddress(database.ownerAddress),
        BLOBWATCH_DATA_KEY: dataKeyHex,
        BLOBWATCH_PDS_URL: network.pdsUrl,
        BLOBWATCH_PDS_ADMIN_PASSWORD: ADMIN_PASSWORD,
        BLOBWATCH_FIREHOSE_URL: network.pdsUrl,
        BLOBWATCH_PLC_URL: network.plcUrl,
        BLOBWATCH_PUBLIC_PORT: '0',
        BLOBWATCH_PRIVATE_PORT: '0',
        BLOBWATCH_DISK_FREE_MB_MIN: '0',
        BLOBWATCH_DECODER_SLOTS: '1',
        ...settings,
      }
      const config = parseConfig(env, (path) => assert.fail(`nothing is read from ${path}`))
      const destination = { write: (line: string) => void lines.push(line) }
      const service = kept.use(
        await build(config, { log: createLog({ level: 'warn', destination }) }),
      )
      return { ...service, ...(await service.start()) }
    },

    /** Waits until so many pictures are settled and nothing is on its way. */
    async settled(blobs: number): Promise<void> {
      const untilMs = performance.now() + settledMsMax
      for (;;) {
        const left = await leftToDo(database, blobs)
        if (left === undefined) return
        assert.ok(performance.now() < untilMs, `not done: ${left}`)
        await sleep(100)
      }
    },

    /** `what`: the rest of a count after `from`. */
    async count(what: string): Promise<number> {
      const [row] = await database.owner.unsafe<{ n: number }[]>(
        `select count(*) as n from ${what}`,
      )
      return row?.n ?? 0
    },

    /** How many of the posts and their pictures the PDS says are taken down. */
    async takenDown(posted: readonly Posted[]): Promise<number> {
      let down = 0
      for (const { did, post } of posted) {
        for (const subject of [{ uri: post.uri }, { did, blob: post.blobCids[0] ?? '' }]) {
          const url = new URL('/xrpc/com.atproto.admin.getSubjectStatus', network.pdsUrl)
          for (const [name, value] of Object.entries(subject)) url.searchParams.set(name, value)
          const headers = { authorization: network.adminAuthorization }
          const { takedown } = (await (await fetch(url, { headers })).json()) as {
            takedown?: { applied: boolean }
          }
          if (takedown?.applied === true) down += 1
        }
      }
      return down
    },

    /** Every entry, after the whole ledger was verified. */
    async ledger(): Promise<LedgerLine[]> {
      const { owner } = database
      const head = await readHead(owner)
      const verifier = createVerifier({ log: head?.log })
      const entries: LedgerLine[] = []
      for await (const page of readEntries(owner, { from: 0, to: head?.size ?? 0 })) {
        verifier.add(page, await readPrivate(owner, page, createDataKey(dataKeyHex)))
        for (const { bytes } of page) entries.push(JSON.parse(bytes.toString()) as LedgerLine)
      }
      assert.deepEqual(verifier.end(head).faults, [])
      return entries
    },

    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

async function leftToDo({ owner }: TestDatabase, blobs: number): Promise<string | undefined> {
  const [row] = await owner<{ blobs: number; jobs: number; intake: number; going: number }[]>`
    select (select count(*) from blob) as blobs, (select count(*) from job) as jobs,
      (select count(*) from ledger_intake) as intake,
      (select count(*) from action where state in ('planned', 'released', 'sending')) as going`
  const isOver = row !== undefined && row.blobs >= blobs && row.jobs + row.intake + row.going === 0
  return isOver ? undefined : JSON.stringify(row)
}
