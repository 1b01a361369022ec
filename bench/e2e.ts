// From a post on a real PDS to that PDS's own word that it is taken down: the real service in a process of its own, a
// Postgres that waits for the disk, exact canaries in a bank. PDS and PLC run in this process and cost it processor time.
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { addContent, createBank } from '../src/banks/bank-store.ts'
import type { Database } from '../src/db/client.ts'
import { blobCidOf } from '../src/domain/cid.ts'
import { principalId } from '../src/steps/withdraw.ts'
import { canaryPicture } from '../src/testing/canary.ts'
import { ADMIN_PASSWORD, postPictures, startNetwork } from '../src/testing/network.ts'
import type { TestAccount, TestNetwork, TestPost } from '../src/testing/network.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { freePort } from './free-port.ts'
import { round } from './machine.ts'
import { percentile } from './percentile.ts'
import { scratchDatabase } from './scratch.ts'
import { startService } from './service-process.ts'

const goal = { p50Ms: 1_000, p99Ms: 3_000 } as const
/** Each account posts each canary once: a PDS takes no second upload of a blob that was taken down. */
const sizes = {
  full: { accounts: 20, canaries: 25 },
  quick: { accounts: 8, canaries: 10 },
} as const
const warmUpPosts = 3
/** Slow enough that posting and polling do not keep the PDS busy: its latency under load is not ours to measure. */
const betweenPostsMs = 200
const pollMs = 20
const giveUpMs = 20_000

export const bench: Bench = {
  about: 'milliseconds from a post on a real PDS to its takedown there',
  run: measureTakedowns,
}

async function measureTakedowns({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const size = sizes[quick ? 'quick' : 'full']
  await using scratch = await scratchDatabase({ waitsForDisk: true })
  const pictures = await canaries(size.canaries + 1)
  await fillBank(scratch.app, pictures)
  await using network = await startNetwork()
  const accounts: TestAccount[] = []
  for (let n = 0; n < size.accounts; n++) accounts.push(await network.createAccount(`account${n}`))
  const privatePort = await freePort()
  await using service = await startService(settings(network, scratch.dataDir), privatePort)
  tell(`${size.accounts} accounts, ${size.canaries} canaries; the service is ready`)

  const [warmUp, ...measured] = pictures
  for (const account of accounts.slice(0, warmUpPosts))
    await takedownMs(network, account, warmUp!, signal)

  const running: Promise<number>[] = []
  for (const picture of measured)
    for (const account of accounts) {
      signal.throwIfAborted()
      const nextAtMs = performance.now() + betweenPostsMs
      const takedown = takedownMs(network, account, picture, signal)
      // Awaited with all the others below; a failure before that must not end the process.
      takedown.catch(() => undefined)
      running.push(takedown)
      await sleep(Math.max(0, nextAtMs - performance.now()))
    }
  const settled = await Promise.allSettled(running)
  const outsideMs = settled.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const failed = settled.find((one) => one.status === 'rejected')
  if (failed) throw new Error(`${String(failed.reason)}\n${service.output()}`)
  const inside = await insideTimes(scratch.app)
  if (inside.undone > 0) throw new Error(`${inside.undone} actions were not done`)
  return report(outsideMs, inside)
}

async function canaries(count: number): Promise<Uint8Array[]> {
  return await Promise.all(Array.from({ length: count }, (_, seed) => canaryPicture({ seed })))
}

async function fillBank(db: Database, pictures: Uint8Array[]): Promise<void> {
  const nowMs = Date.now()
  const principal = await principalId(db, { kind: 'person', name: 'bench', nowMs })
  await createBank(db, { name: 'CANARIES', mode: 'act', class: 'open', principal, nowMs })
  for (const bytes of pictures) {
    const value = createHash('sha256').update(bytes).digest('hex')
    const signals = [{ type: 'sha256' as const, value }]
    await addContent(db, { bank: 'CANARIES', signals, principal, nowMs })
  }
}

function settings(network: TestNetwork, dataDir: string): Record<string, string> {
  return {
    BLOBWATCH_MODE: 'act',
    BLOBWATCH_DATA_DIR: dataDir,
    BLOBWATCH_PDS_URL: network.pdsUrl,
    BLOBWATCH_PDS_ADMIN_PASSWORD: ADMIN_PASSWORD,
    BLOBWATCH_PLC_URL: network.plcUrl,
    BLOBWATCH_PUBLIC_PORT: '0',
    // Every post of the bench is acted on: no cap and no flood limit may be met.
    BLOBWATCH_TAKEDOWNS_PER_DAY: '1000000',
    BLOBWATCH_ACTIONS_PER_CONTENT: '1000000',
    LOG_LEVEL: 'WARNING',
  }
}

/** Uploads and posts; the clock runs from the moment createRecord returned until record and blob are both taken down. */
async function takedownMs(
  network: TestNetwork,
  account: TestAccount,
  picture: Uint8Array,
  signal: AbortSignal,
): Promise<number> {
  const post = await postPictures(account, [picture])
  const postedMs = performance.now()
  const cid = blobCidOf(createHash('sha256').update(picture).digest('hex'))
  for (const query of subjectsOf(account, post, cid))
    while (!(await isTakenDown(network, query))) {
      signal.throwIfAborted()
      if (performance.now() - postedMs > giveUpMs) throw new Error(`${post.uri} is still up`)
      await sleep(pollMs)
    }
  return performance.now() - postedMs
}

function subjectsOf(account: TestAccount, post: TestPost, cid: string): Record<string, string>[] {
  return [{ uri: post.uri }, { did: account.did, blob: cid }]
}

async function isTakenDown(
  { pdsUrl, adminAuthorization }: TestNetwork,
  query: Record<string, string>,
): Promise<boolean> {
  const url = new URL('/xrpc/com.atproto.admin.getSubjectStatus', pdsUrl)
  url.search = new URLSearchParams(query).toString()
  const response = await fetch(url, { headers: { authorization: adminAuthorization } })
  if (!response.ok) {
    await response.body?.cancel()
    // A blob's row is there a moment after its record.
    return false
  }
  const { takedown } = (await response.json()) as { takedown?: { applied: boolean } }
  return takedown?.applied === true
}

type Inside = {
  /** sighting to the end of the last action for it */
  ms: number[]
  sightingToDecisionMs: number[]
  decisionToReleaseMs: number[]
  releaseToEndMs: number[]
  undone: number
  /** Actions that took more than one attempt: the second waits for a back-off. */
  retried: number
}

/** By the database's own times. The ledger lets the service finish its last results first. */
async function insideTimes(db: Database): Promise<Inside> {
  await sleep(500)
  const rows = await db<
    {
      state: string
      attempts: number
      total: number
      decided: number
      released: number
      ended: number
    }[]
  >`
    select a.state, a.attempts,
      extract(epoch from a.ended_at - d.sighting_at)::float8 * 1000 as total,
      extract(epoch from a.created_at - d.sighting_at)::float8 * 1000 as decided,
      extract(epoch from a.released_at - a.created_at)::float8 * 1000 as released,
      extract(epoch from a.ended_at - a.released_at)::float8 * 1000 as ended
    from action a join decision d on d.id = a.decision`
  const done = rows.filter((row) => row.state === 'done')
  return {
    ms: done.map((row) => row.total),
    sightingToDecisionMs: done.map((row) => row.decided),
    decisionToReleaseMs: done.map((row) => row.released),
    releaseToEndMs: done.map((row) => row.ended),
    undone: rows.length - done.length,
    retried: rows.filter((row) => row.attempts > 1).length,
  }
}

function report(outsideMs: number[], inside: Inside): BenchResult {
  const p = (values: number[], share: number) => round(percentile(values, share))
  const figures = {
    sightingToTakedownMsP50: p(outsideMs, 0.5),
    goalMsP50: goal.p50Ms,
    sightingToTakedownMsP99: p(outsideMs, 0.99),
    goalMsP99: goal.p99Ms,
    sightingToTakedownMsMax: p(outsideMs, 1),
    insideMsP50: p(inside.ms, 0.5),
    insideMsP99: p(inside.ms, 0.99),
    insideSightingToDecisionMsP50: p(inside.sightingToDecisionMs, 0.5),
    insideDecisionToReleaseMsP50: p(inside.decisionToReleaseMs, 0.5),
    insideReleaseToEndMsP50: p(inside.releaseToEndMs, 0.5),
    posts: outsideMs.length,
    actions: inside.ms.length,
    actionsRetried: inside.retried,
    postsPerSecond: round(1000 / betweenPostsMs),
  }
  const isMet =
    figures.sightingToTakedownMsP50 <= goal.p50Ms && figures.sightingToTakedownMsP99 <= goal.p99Ms
  return {
    figures,
    table: { head: ['figure', 'value'], rows: Object.entries(figures) },
    notes: [
      'From the moment createRecord returned until the PDS itself says that record and blob are taken down.',
      `Goal ${goal.p50Ms} ms and ${goal.p99Ms} ms: ${isMet ? 'met' : 'MISSED'}`,
    ],
  }
}
