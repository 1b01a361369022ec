// The real service as child processes beside a real PDS and PLC, for tests that kill them.
//
// A counting proxy stands between the service and the PDS: what the service changes there is seen and counted.
// Leases are not waited for: when no process is left that could hold them, `expireLeases` lets their time pass.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { WebSocket } from 'ws'
import { addContent, createBank } from '../banks/bank-store.ts'
import { describeAddress } from '../db/address.ts'
import { connect } from '../db/client.ts'
import type { BankPolicy } from '../domain/bank.ts'
import { ensureRoom } from '../service-database.ts'
import { blobDigest } from '../domain/cid.ts'
import { readEntries, readHead, readPrivate } from '../ledger/read-ledger.ts'
import { createDataKey } from '../ledger/seal.ts'
import { createVerifier } from '../verifier/verify-stored.ts'
import { pdqHash } from '../signals/pdq/hash.ts'
import { decodeFrame } from '../sources/frame.ts'
import { principalId } from '../steps/withdraw.ts'
import { canaryPicture, cleanPicture } from './canary.ts'
import { silentLog, testDatabase } from './database.ts'
import { ADMIN_PASSWORD, postPictures, startNetwork } from './network.ts'
import type { TestAccount } from './network.ts'

const mainFile = fileURLToPath(new URL('../main.ts', import.meta.url))
const dataKeyHex = '7c'.repeat(32)
const doneMsMax = 60_000
const exitMsMax = 30_000
const size = { width: 200, height: 150 }

/** A picture on the PDS, and what has to come of it. */
export type Posted = { uri: string; cid: string; verdict: 'matched' | 'clear' }

export type Service = {
  pid: number
  kill(signal: NodeJS.Signals): void
  /** How it ended. Rejects when it does not end in time. */
  ended(withinMs?: number): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  isAlive(): boolean
  output(): string
}

export type CrashWorld = Awaited<ReturnType<typeof startCrashWorld>>

export async function startCrashWorld(
  options: { env?: Record<string, string>; policy?: Partial<BankPolicy> } = {},
) {
  await using stack = new AsyncDisposableStack()
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-crash-'))
  stack.defer(() => rm(dir, { recursive: true, force: true }))
  const database = await testDatabase({ after: (clean) => stack.defer(clean) })
  await ensureRoom(database.owner, Date.now())
  const network = stack.use(await startNetwork())
  const proxy = stack.use(await startProxy(network.pdsUrl))
  const stream = stack.use(watchStream(network.pdsUrl))
  const { owner } = database
  const admin = connect(database.superuserAddress, {
    max: 1,
    applicationName: 'test monkey',
    log: silentLog,
  })
  stack.defer(() => admin.end({ timeout: 1 }))

  const nowMs = Date.now()
  const principal = await principalId(database.app, { kind: 'person', name: 'crash', nowMs })
  const by = { principal, nowMs }
  const exact = { mode: 'act' as const, class: 'restricted' as const, ...by }
  const { policy } = options
  await createBank(database.app, { name: 'EXACT', ...exact, ...(policy && { policy }) })
  await createBank(database.app, {
    name: 'NEAR',
    ...exact,
    policy: { ...policy, perceptual: 'act' },
  })
  const accounts: TestAccount[] = []
  for (const name of ['alice', 'bob', 'carol']) accounts.push(await network.createAccount(name))

  const children = new Set<Service>()
  stack.defer(async () => {
    for (const child of children) {
      child.kill('SIGCONT')
      child.kill('SIGKILL')
      await child.ended()
    }
  })
  const env = {
    PATH: process.env['PATH'] ?? '',
    NODE_COMPILE_CACHE: join(dir, 'compiled'),
    BLOBWATCH_MODE: 'act',
    BLOBWATCH_DATA_DIR: dir,
    BLOBWATCH_DATABASE_URL: describeAddress(database.appAddress),
    BLOBWATCH_DATABASE_OWNER_URL: describeAddress(database.ownerAddress),
    BLOBWATCH_DATA_KEY: dataKeyHex,
    BLOBWATCH_PDS_URL: network.pdsUrl,
    BLOBWATCH_PDS_ADDRESS: proxy.url,
    BLOBWATCH_PDS_ADMIN_PASSWORD: ADMIN_PASSWORD,
    BLOBWATCH_FIREHOSE_URL: network.pdsUrl,
    BLOBWATCH_PLC_URL: network.plcUrl,
    BLOBWATCH_PUBLIC_PORT: '0',
    BLOBWATCH_PRIVATE_PORT: '0',
    BLOBWATCH_TAKEDOWNS_PER_DAY: '100000',
    BLOBWATCH_ACTIONS_PER_CONTENT: '100000',
    BLOBWATCH_DISK_FREE_MB_MIN: '0',
    BLOBWATCH_DECODER_SLOTS: '1',
    LOG_LEVEL: 'WARNING',
    ...options.env,
  }
  let seed = 0
  const posted: Posted[] = []

  const kept = stack.move()
  return {
    database,
    dir,
    admin,
    proxy,
    posted,
    start(point?: string): Service {
      const service = startService({ ...env, ...(point && { BLOBWATCH_CRASH_POINT: point }) })
      children.add(service)
      void service.ended(2 ** 31 - 1).then(() => children.delete(service))
      return service
    },

    /** Canaries that the banks know by the moment they are posted (every third by PDQ alone), and clean pictures. */
    async post(canaries: number, clean: number): Promise<Posted[]> {
      const made: Posted[] = []
      for (let n = 0; n < canaries + clean; n += 1) {
        seed += 1
        const isCanary = n < canaries
        const bytes = isCanary
          ? await canaryPicture({ seed, ...size })
          : await cleanPicture(seed, size)
        if (isCanary) await bankIt(bytes, n % 3 === 2)
        const account = accounts[seed % accounts.length] as TestAccount
        const { uri, blobCids } = await postPictures(account, [bytes])
        made.push({ uri, cid: blobCids[0] ?? '', verdict: isCanary ? 'matched' : 'clear' })
      }
      posted.push(...made)
      return made
    },

    /** The time of every lease passes: only when no process is at work that holds one. */
    async expireLeases(): Promise<void> {
      await owner`update job set lease_until = now() - interval '1 second' where lease_until is not null`
      await owner`update action set lease_until = now() - interval '1 second' where lease_until is not null`
    },

    /** Waits until nothing is left to do; fails with what is. */
    async done(service?: Service): Promise<void> {
      const untilMs = performance.now() + doneMsMax
      for (;;) {
        const left = await leftToDo()
        if (left === undefined) return
        if (performance.now() > untilMs || service?.isAlive() === false) {
          assert.fail(`not done: ${left}\n${service?.output() ?? ''}`)
        }
        await sleep(50)
      }
    },

    /** Everything that has to be true when nothing is left to do. `setsMax`: how often one subject may be set. */
    async check(setsMax = 1): Promise<void> {
      for (const one of posted) await checkPosted(one, setsMax)
      await checkLedger()
      const [cursor] = await owner<{ position: number }[]>`select position from cursor`
      assert.equal(cursor?.position, stream.lastSeq(), 'the cursor is at the last event')
      const [extra] = await owner<{ n: number }[]>`
        select count(*) as n from sighting s where s.source = 'firehose'`
      assert.equal(extra?.n, posted.length, 'every place was seen once')
    },

    leaders,

    /** Waits until this process leads both the firehose and the ledger: from then on it also ends in order. */
    async leads(service: Service): Promise<void> {
      const untilMs = performance.now() + doneMsMax
      for (;;) {
        const found = await leaders()
        if (found.length === 2 && found.every((leader) => leader.pid === service.pid)) return
        if (performance.now() > untilMs || !service.isAlive())
          assert.fail(`it does not lead\n${service.output()}`)
        await sleep(50)
      }
    },

    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }

  function leaders() {
    return owner<{ name: string; pid: number }[]>`
      select split_part(a.application_name, ' ', 2) as name, split_part(a.application_name, ' ', 3)::int as pid
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
      where l.locktype = 'advisory' and l.granted and a.application_name ~ '^blobwatch (firehose|ledger) '
        and a.datname = current_database() order by 1`
  }

  async function bankIt(bytes: Uint8Array, byPdq: boolean): Promise<void> {
    const cid = await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))
    const signal = byPdq
      ? { type: 'pdq' as const, ...(await pdqOf(bytes)) }
      : { type: 'sha256' as const, value: Buffer.from(cid).toString('hex') }
    await addContent(database.app, { bank: byPdq ? 'NEAR' : 'EXACT', signals: [signal], ...by })
  }

  async function leftToDo(): Promise<string | undefined> {
    const [row] = await owner<
      { position: number | null; jobs: number; intake: number; actions: number; blobs: number }[]
    >`select (select max(position) from cursor) as position, (select count(*) from job) as jobs,
        (select count(*) from ledger_intake) as intake, (select count(*) from blob) as blobs,
        (select count(*) from action where state in ('planned', 'released', 'sending')) as actions`
    const isOver =
      row?.position === stream.lastSeq() &&
      row.jobs + row.intake + row.actions === 0 &&
      row.blobs >= posted.length
    return isOver ? undefined : JSON.stringify({ ...row, lastSeq: stream.lastSeq() })
  }

  async function checkPosted({ uri, cid, verdict }: Posted, setsMax: number): Promise<void> {
    const digest = blobDigest(cid) ?? ''
    const [blob] =
      await owner`select verdict, reason from blob where blob_cid = decode(${digest}, 'hex')`
    assert.equal(blob?.['verdict'], verdict, `${cid}: ${String(blob?.['reason'])}`)
    const actions = await owner<{ kind: string; state: string; ref: string; did: string }[]>`
      select a.kind, a.state, s.observed_ref as ref, ac.did
      from action a join subject s on s.id = a.subject join account ac on ac.id = s.account
      join decision d on d.id = a.decision where d.blob_cid = decode(${digest}, 'hex') order by a.kind`
    const wanted = verdict === 'matched' ? ['takedown-blob done', 'takedown-record done'] : []
    assert.deepEqual(
      actions.map((action) => `${action.kind} ${action.state}`),
      wanted,
    )
    for (const { kind, ref, did } of actions) {
      const key = kind === 'takedown-blob' ? `${did} ${cid}` : uri
      const sets = proxy.sets.filter((set) => set.key === key)
      assert.ok(sets.length >= 1 && sets.length <= setsMax, `${key} was set ${sets.length} times`)
      assert.ok(sets.every((set) => set.applied && set.ref === ref && ref.startsWith('blobwatch:')))
      assert.deepEqual(await statusOf(key), { applied: true, ref })
    }
  }

  async function statusOf(key: string): Promise<unknown> {
    const url = new URL('/xrpc/com.atproto.admin.getSubjectStatus', network.pdsUrl)
    const [did = '', blob] = key.split(' ')
    if (blob === undefined) url.searchParams.set('uri', key)
    else {
      url.searchParams.set('did', did)
      url.searchParams.set('blob', blob)
    }
    const answer = await fetch(url, { headers: { authorization: network.adminAuthorization } })
    return ((await answer.json()) as { takedown: unknown }).takedown
  }

  async function checkLedger(): Promise<void> {
    const head = await readHead(owner)
    const verifier = createVerifier({ log: head?.log })
    const entries: string[] = []
    for await (const page of readEntries(owner, { from: 0, to: head?.size ?? 0 })) {
      verifier.add(page, await readPrivate(owner, page, createDataKey(dataKeyHex)))
      for (const { bytes } of page) {
        const { type, pub } = JSON.parse(bytes.toString()) as {
          type: string
          pub: { action?: number }
        }
        if (type.startsWith('action.')) entries.push(`${type} ${pub.action}`)
      }
    }
    const report = verifier.end(head)
    assert.deepEqual(report.faults, [])
    assert.deepEqual([report.openIntents, report.commitments.erased], [0, 0])
    const actions = await owner<{ id: number }[]>`select id from action`
    const once = actions.flatMap(({ id }) => [`action.intent ${id}`, `action.result ${id}`])
    assert.deepEqual(entries.toSorted(), once.toSorted(), 'one intent and one result each')
  }
}

function startService(env: Record<string, string>): Service {
  const child: ChildProcess = spawn(process.execPath, [mainFile, 'serve'], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (text: Buffer) => (output = (output + text.toString()).slice(-20_000)))
  const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>
  return {
    pid: child.pid ?? 0,
    kill: (signal) => void child.kill(signal),
    isAlive: () => child.exitCode === null && child.signalCode === null,
    output: () => output,
    async ended(withinMs = exitMsMax) {
      const late = new AbortController()
      const timeout = sleep(withinMs, undefined, { signal: late.signal, ref: false }).then(
        () => assert.fail(`it does not end within ${withinMs} ms\n${output}`),
        () => assert.fail('never seen'),
      )
      try {
        const [code, signal] = await Promise.race([exited, timeout])
        return { code, signal }
      } finally {
        late.abort()
        timeout.catch(() => undefined)
      }
    },
  }
}

async function pdqOf(bytes: Uint8Array): Promise<{ value: string; quality: number }> {
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true })
  const { hash, quality } = pdqHash(data, info.width, info.height, 3)
  return { value: hash, quality }
}

type SetCall = { key: string; applied: boolean; ref: string }

/** Passes everything on and keeps every takedown that the PDS answered 200. */
async function startProxy(target: string) {
  const sets: SetCall[] = []
  const server = createServer((incoming, answer) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => {
      const body = Buffer.concat(parts)
      const { method = 'GET', headers } = incoming
      const passed = httpRequest(
        new URL(incoming.url ?? '/', target),
        { method, headers },
        (got) => {
          if (got.statusCode === 200 && incoming.url?.endsWith('admin.updateSubjectStatus'))
            sets.push(setCallOf(body))
          answer.writeHead(got.statusCode ?? 502, got.headers)
          got.pipe(answer)
        },
      )
      passed.on('error', () => answer.destroy())
      passed.end(body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sets,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

function setCallOf(body: Buffer): SetCall {
  const { subject, takedown } = JSON.parse(body.toString()) as {
    subject: { uri?: string; did?: string; cid?: string }
    takedown: { applied: boolean; ref: string }
  }
  return { key: subject.uri ?? `${subject.did} ${subject.cid}`, ...takedown }
}

/** The number of the last event that the PDS has sent to anyone. */
function watchStream(pdsUrl: string) {
  const url = `${pdsUrl.replace('http', 'ws')}/xrpc/com.atproto.sync.subscribeRepos?cursor=0`
  const socket = new WebSocket(url)
  let last = 0
  socket.on('message', (data: Buffer) => {
    const frame = decodeFrame(data)
    if ('seq' in frame && frame.seq !== undefined) last = frame.seq
  })
  return {
    lastSeq: () => last,
    [Symbol.dispose]: () => socket.terminate(),
  }
}
