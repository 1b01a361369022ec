// A small world for tests of the steps and the stories: a real Postgres as the application's role, the real steps and
// roles, a clock that only the test moves, and hosts in memory that count what is done to them.
//
//   const world = await createWorld(t)
//   const bank = await world.bank('BAD', { mode: 'act' })
//   await world.content('BAD', 'one')
//   await world.sight([{ did: alice, bytes: 'one', rkey: 'a' }])
//   await world.settle()
import { createHash } from 'node:crypto'
import { sendAction } from '../actions/send.ts'
import { createBankBook } from '../banks/bank-book.ts'
import { addContent, bankNamed, createBank, setBank } from '../banks/bank-store.ts'
import type { NewSignal } from '../banks/bank-store.ts'
import { callStep } from '../db/client.ts'
import { ensurePartitions } from '../db/partitions.ts'
import { actionKinds } from '../domain/bank.ts'
import type { BankClass, BankPolicy, Mode } from '../domain/bank.ts'
import { emptyBatch } from '../domain/batch.ts'
import type { SourceBatch } from '../domain/batch.ts'
import type { SourceKind } from '../domain/blob.ts'
import { recordCidOf } from '../domain/cid.ts'
import { noOtherTypes } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { Hasher } from '../domain/ports.ts'
import { readEntries, readHead, readPrivate } from '../ledger/read-ledger.ts'
import { createDataKey } from '../ledger/seal.ts'
import { createSequencer } from '../ledger/sequencer.ts'
import { signalsOf } from '../domain/stored-signals.ts'
import { createVerifier } from '../verifier/verify-stored.ts'
import type { LedgerReport } from '../verifier/verify-stored.ts'
import { createLinearMatcher } from '../matching/linear-matcher.ts'
import type { Vault } from '../evidence/vault.ts'
import { scanBlob } from '../pipeline.ts'
import { preserve } from '../roles/preserve.ts'
import type { PreserveOptions } from '../roles/preserve.ts'
import { claimRematch, runRematch } from '../roles/rematch.ts'
import { claimAction, finish } from '../steps/act.ts'
import type { ClaimedAction } from '../steps/act.ts'
import { leadLedger } from '../steps/append.ts'
import type { ReleaseLimits } from '../steps/append.ts'
import { claimScans, settle } from '../steps/scan.ts'
import type { ScanJob } from '../steps/scan.ts'
import { createTakeIn } from '../steps/take-in.ts'
import { principalId } from '../steps/withdraw.ts'
import { silentLog, testDatabase } from './database.ts'
import type { TestDatabase } from './database.ts'
import { cidOfBytes, digestOfBytes, memoryHosts, memoryPds, worldPds } from './memory-hosts.ts'

export { didOf } from './did-of.ts'
export { cidOfBytes, digestOfBytes, worldPds } from './memory-hosts.ts'

export const alice = 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa'
export const bob = 'did:plc:bbbbbbbbbbbbbbbbbbbbbbbb'
export const carol = 'did:plc:cccccccccccccccccccccccc'
const post = 'app.bsky.feed.post'
const startMs = Date.parse('2026-11-21T12:00:00.000Z')
const roundsMax = 2_000

export type World = Awaited<ReturnType<typeof createWorld>>

/**
 * A test's picture is a text; its PDQ hash is a digest of the part before a `~`: what follows is a recompression. `dim` says
 * too little for PDQ. `a[b]` is `b` with a border: without it, `b`.
 */
export function pdqOfBytes(bytes: string): string {
  return digestOfBytes(`pdq ${bytes.split('~')[0]}`)
}

export async function createWorld(
  context: { after(clean: () => Promise<void>): void } | undefined,
  options: {
    mode?: Mode
    limits?: Partial<ReleaseLimits>
    administered?: boolean
    vault?: Vault
    /** Instead of the text hasher by itself: one that asks plug-ins too, of these types. */
    hasher?: Hasher
    others?: OtherTypes
  } = {},
) {
  const database = await testDatabase(context)
  const db = database.app
  let nowMs = startMs
  const clock = () => nowMs
  await ensurePartitions({ db: database.owner, table: 'sighting', every: 'day', ahead: 40, nowMs })
  await callStep(db, 'deployment_v1', { id: 'world', dataKeyId: 'k', now: new Date(nowMs) })
  const principal = await principalId(db, { kind: 'person', name: 'erin', nowMs })

  const { others = noOtherTypes } = options
  const createIndex = () => createLinearMatcher({ clock, others })
  const book = createBankBook({ db, clock, log: silentLog, others, createIndex })
  const { matcher } = book
  // As the service does before its first scan.
  await book.refresh()
  const hosts = memoryHosts(clock)
  const pds = memoryPds()
  const dataKey = createDataKey('5a'.repeat(32))
  const limits: ReleaseLimits = {
    takedownsPerDay: 200,
    labelsPerDay: 2000,
    actionsPerContent: 50,
    floodBlobs: 1_000_000,
    floodAccounts: 1_000_000,
    floodFactor: 5,
    ...options.limits,
  }
  const pipeline: PreserveOptions = {
    db,
    vault: options.vault,
    readRecord: async ({ did, collection, rkey }) => ({
      kind: 'record',
      cid: undefined,
      json: JSON.stringify({ uri: `at://${did}/${collection}/${rkey}`, value: { text: rkey } }),
    }),
    mode: options.mode ?? 'act',
    fetcher: hosts.fetcher,
    resolver: hosts.resolver,
    hasher: options.hasher ?? textHasher,
    others,
    matcher,
    banks: book.banks,
    administeredPds: options.administered === false ? undefined : worldPds,
    canLabel: true,
    canPreserve: options.vault !== undefined,
    clock,
  }
  const signal = new AbortController().signal
  let position: number | null = null
  let epoch = 0

  async function take(
    batch: Partial<SourceBatch>,
    from: { source?: SourceKind; host?: string } = {},
  ): Promise<string> {
    const takeIn = createTakeIn({
      db,
      clock,
      others,
      source: from.source ?? 'firehose',
      host: from.host ?? worldPds,
    })
    return takeIn({ ...emptyBatch(), ...batch })
  }

  async function scanDue(pool: PreserveOptions = pipeline): Promise<number> {
    const jobs = await claimScans(db, { limit: 50, nowMs })
    for (const job of jobs)
      await settle(db, await preserve(await scanBlob(job, pool, signal), pool, signal))
    return jobs.length
  }

  async function sequence(): Promise<void> {
    const stop = new AbortController()
    const sequencer = createSequencer({
      db,
      clock,
      dataKey,
      limits,
      wait: async () => stop.abort(),
    })
    await sequencer.run(await leadLedger(db, 'world/ledger'), stop.signal)
  }

  async function send(claimed: ClaimedAction) {
    return sendAction(claimed, {
      takedowns: pds.port,
      sign: async (label) => ({ ...label, src: carol, sigHex: 'ab', keyDid: 'did:key:z' }),
      prove: async () => ({ kind: 'proved', recordCid: recordCidOf('11'.repeat(32)) }),
      nowMs,
      signal,
    })
  }

  async function actDue(): Promise<number> {
    let acted = 0
    for (;;) {
      const claimed = await claimAction(db, { kinds: [...actionKinds], nowMs })
      if (claimed === undefined) return acted
      await finish(db, { claimed, ...(await send(claimed)), nowMs, random: 0 })
      acted += 1
    }
  }

  async function rematchDue(): Promise<number> {
    const options = { db, matcher, banks: book.banks, clock, onRaised: () => undefined }
    const jobs = await claimRematch(options)
    for (const job of jobs) await runRematch(job, options, signal)
    return jobs.length
  }

  return {
    database,
    db,
    clock,
    principal,
    matcher,
    hosts,
    pds,
    pipeline,
    limits,
    dataKey,
    take,
    scanDue,
    sequence,
    send,
    actDue,
    rematchDue,
    advance(ms: number) {
      nowMs += ms
    },
    refreshBanks: () => book.refresh(),

    /** One firehose batch at the next position, by the leader of now. */
    async sight(seen: Seen[]): Promise<string> {
      if (epoch === 0) epoch = await leadCursor(db, nowMs)
      for (const { bytes, host } of seen) hosts.keep(host ?? worldPds, bytes)
      const to = (position ?? 0) + 1
      const cursor = {
        source: 'firehose' as const,
        host: worldPds,
        from: position,
        to,
        epoch,
        eventTimeMs: nowMs,
      }
      position = to
      return take({ cursor, sightings: seen.map(sightingOf) })
    },

    async bank(
      name: string,
      input: { mode?: Mode; class?: BankClass; policy?: Partial<BankPolicy> } = {},
    ): Promise<number> {
      const { bank } = await createBank(db, {
        name,
        mode: input.mode ?? 'act',
        class: input.class ?? 'restricted',
        ...(input.policy && { policy: input.policy }),
        principal,
        nowMs,
      })
      await book.refresh()
      return bank
    },

    /** Changes fields of a bank's policy, as a person would. */
    async changePolicy(name: string, change: Partial<Omit<BankPolicy, 'version'>>): Promise<void> {
      const { version: _, ...kept } = (await bankNamed(db, name)).policy
      await setBank(db, { name, policy: { ...kept, ...change }, principal, nowMs })
      await book.refresh()
    },

    /** The picture's sha2-256 unless signals are given. */
    async content(bank: string, of: string | NewSignal[]): Promise<number> {
      const signals: NewSignal[] =
        typeof of === 'string' ? [{ type: 'sha256', value: digestOfBytes(of) }] : of
      const { content } = await addContent(db, { bank, signals, others, principal, nowMs })
      await book.refresh()
      return content
    },

    /** Everything that is due now, until nothing is left to do. */
    async settle(): Promise<void> {
      for (let round = 0; round < roundsMax; round += 1) {
        const worked = (await rematchDue()) + (await scanDue())
        await sequence()
        if (worked + (await actDue()) === 0) {
          await sequence()
          if ((await actDue()) === 0) return
        }
      }
      throw new Error('the work never ends')
    },

    /** The whole ledger, read and checked again. */
    async ledger(): Promise<LedgerReport & { documents: LedgerDocument[] }> {
      const head = await readHead(db)
      const verifier = createVerifier({ log: 'world/ledger' })
      const documents: LedgerDocument[] = []
      for await (const page of readEntries(db, { from: 0, to: head?.size ?? 0 })) {
        verifier.add(page, await readPrivate(db, page, dataKey))
        documents.push(...page.map((entry) => JSON.parse(entry.bytes.toString()) as LedgerDocument))
      }
      return { ...verifier.end(head), documents }
    },
  }
}

export type LedgerDocument = {
  seq: number
  type: string
  actor: Record<string, unknown>
  pub: Record<string, unknown>
  com: Record<string, string>
}

export type Seen = {
  did: string
  bytes: string
  /** Absent: an upload without a record. */
  rkey?: string
  collection?: string
  host?: string
}

export function sightingOf({ did, bytes, rkey, collection }: Seen) {
  return {
    did,
    blobCid: cidOfBytes(bytes),
    source: 'firehose' as const,
    ...(rkey !== undefined && {
      collection: collection ?? post,
      rkey,
      recordCid: recordCidOf(digestOfBytes(`record ${did} ${rkey}`)),
    }),
  }
}

export async function leadCursor(db: TestDatabase['app'], nowMs: number): Promise<number> {
  const [row] = await callStep<{ epoch: number }[]>(db, 'lead_cursor_v1', {
    source: 'firehose',
    host: worldPds,
    now: new Date(nowMs),
  })
  return row?.epoch ?? 0
}

/** Claims exactly the one job that is due; fails when there is none. */
export async function claimOne(world: World): Promise<ScanJob> {
  const [job, ...more] = await claimScans(world.db, { limit: 10, nowMs: world.clock() })
  if (job === undefined || more.length > 0) throw new Error(`${more.length + 1} jobs are due`)
  return job
}

export const textHasher: Hasher = {
  async hash({ bytes }) {
    const text = Buffer.from(bytes).toString('utf8')
    const digest = (name: string) => createHash(name).update(bytes).digest('hex')
    const inner = /\[(.*)\]/.exec(text)?.[1]
    const signals = signalsOf(digest('sha256'), {
      md5: digest('md5'),
      sha1: digest('sha1'),
      pdq: pdqOfBytes(text),
      quality: text.startsWith('dim') ? 30 : 100,
      variants:
        inner === undefined ? [] : [{ variant: 'trim', hash: pdqOfBytes(inner), quality: 100 }],
      others: [],
    })
    return { media: 'image', format: 'jpeg', signals }
  },
}
