// Two services on one database, as processes of their own, one of them on a machine whose clock is wrong.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { keyInTest } from './api/api-in-test.ts'
import { blobwatchClient } from './client/index.ts'
import { describeAddress } from './db/address.ts'
import { blobCidOf } from './domain/cid.ts'
import { ensureRoom } from './service-database.ts'
import { scanLimits } from './steps/scan.ts'
import { testDatabase } from './testing/database.ts'

const wrongMs = scanLimits.leaseSeconds * 1000 + 30_000
/** Much more than the test takes from one line to another, much less than `wrongMs`. */
const nearMs = wrongMs / 2
const cidOf = (text: string) => blobCidOf(createHash('sha256').update(text).digest('hex'))
/** An account for each blob, so that each scan asks the directory. */
const didOf = (n: number) => `did:plc:${'a'.repeat(23)}${'abcdefghijklmnop'[n]}`

const dir = await mkdtemp(join(tmpdir(), 'blobwatch-clocks-'))
after(() => rm(dir, { recursive: true, force: true }))

/** A directory that is asked and does not answer: whoever asks it keeps its lease meanwhile. */
async function silentDirectory() {
  const asked = new Set<string>()
  const server = createServer((request) =>
    asked.add(decodeURIComponent(request.url ?? '').slice(1)),
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

/** What a process has to load first for its clock to be wrong. */
function wrongClock(byMs: number): string {
  const text = `
    const Right = Date
    const now = () => Right.now() + ${byMs}
    globalThis.Date = new Proxy(Right, {
      construct: (target, given, as) => Reflect.construct(target, given.length > 0 ? given : [now()], as),
      get: (target, key) => (key === 'now' ? now : Reflect.get(target, key)),
    })`
  return `--import=data:text/javascript,${encodeURIComponent(text)}`
}

async function startService(
  database: Awaited<ReturnType<typeof testDatabase>>,
  options: { name: string; byMs: number; slots: number },
) {
  const directory = await silentDirectory()
  const main = join(import.meta.dirname, 'main.ts')
  const child = spawn(process.execPath, [wrongClock(options.byMs), main, 'serve'], {
    env: {
      NODE_COMPILE_CACHE: join(dir, 'compiled'),
      BLOBWATCH_DATA_DIR: join(dir, options.name),
      BLOBWATCH_DATABASE_URL: describeAddress(database.appAddress),
      BLOBWATCH_DATABASE_OWNER_URL: describeAddress(database.ownerAddress),
      BLOBWATCH_DATA_KEY: '7d'.repeat(32),
      BLOBWATCH_WEBHOOK_SECRET: `whsec_${Buffer.alloc(32, 7).toString('base64')}`,
      BLOBWATCH_PLC_URL: directory.url,
      BLOBWATCH_PUBLIC_PORT: '0',
      BLOBWATCH_PRIVATE_PORT: '0',
      BLOBWATCH_DISK_FREE_MB_MIN: '0',
      BLOBWATCH_DECODER_SLOTS: '1',
      BLOBWATCH_SCAN_SLOTS: String(options.slots),
      LOG_LEVEL: 'WARNING',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (output += text.toString()))
  after(() => end(child))
  const url = () => /private +(http:\S+)/.exec(output)?.[1]
  while (url() === undefined) {
    assert.ok(child.exitCode === null, output)
    await sleep(50)
  }
  return { url: url() ?? '', asked: directory.asked, child, output: () => output }
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGCONT')
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** Asks until it is so: how soon is the machine's affair. */
async function until(ask: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await ask())) await sleep(20)
}

for (const byMs of [wrongMs, -wrongMs]) {
  const name = byMs > 0 ? 'ahead' : 'behind'
  describe(
    `a service whose clock is ${name === 'ahead' ? 'ahead of' : 'behind'} the database's by more than a lease`,
    { timeout: 90_000 },
    () => {
      test('takes no lease and loses none, counts no crash, and stamps entries with the time of the database', async () => {
        const database = await testDatabase({ after: (clean) => after(clean) })
        const { owner } = database
        await ensureRoom(owner, Date.now())
        const right = await startService(database, { name, byMs: 0, slots: byMs > 0 ? 4 : 8 })
        const wrong = await startService(database, { name, byMs, slots: byMs > 0 ? 8 : 4 })
        // By whatever each has for a clock, the lease of the one would be over for the other.
        const [holder, other] = byMs > 0 ? [right, wrong] : [wrong, right]
        const key = await keyInTest(database, ['act', 'bank:write'])
        const client = ({ url }: { url: string }) =>
          blobwatchClient({ baseUrl: url, key, retries: 0 })
        const review = async (service: { url: string; asked: Set<string> }, ns: number[]) => {
          for (const n of ns) {
            const of = { action_id: `${n}`, content_id: `${didOf(n)}/${cidOf(`${n}`)}` }
            await client(service).action({ ...of, action_type: 'review' })
          }
          await until(() => ns.every((n) => service.asked.has(didOf(n))))
        }

        other.child.kill('SIGSTOP')
        await review(holder, [0, 1, 2, 3])
        other.child.kill('SIGCONT')
        // It looked for work, and so it has passed by those above.
        await review(other, [4, 5, 6])
        const jobs = await owner<{ crashes: number; held: boolean }[]>`
        select crashes, lease_until > clock_timestamp() as held from job where kind = 'scan'`
        assert.deepEqual(
          jobs.map((job) => ({ ...job })),
          Array.from({ length: 7 }, () => ({ crashes: 0, held: true })),
        )

        const page = await (await fetch(`${wrong.url}/metrics`)).text()
        const ahead = Number(/^blobwatch_clock_ahead_seconds (\S+)$/m.exec(page)?.[1])
        assert.ok(Math.abs(ahead * 1000 - byMs) < nearMs, `${ahead} s`)

        const [before] = await owner<{ size: number }[]>`select size from ledger_head`
        await end(right.child)
        const made = await fetch(`${wrong.url}/api/v1/banks`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
          body: '{"name":"B","class":"open"}',
        })
        assert.equal(made.status, 201, await made.text())
        await until(async () => {
          const [head] = await owner<{ size: number }[]>`select size from ledger_head`
          return (head?.size ?? 0) > (before?.size ?? 0)
        })
        const entries = await owner<{ off: number }[]>`
        select abs(extract(epoch from clock_timestamp() - (convert_from(bytes, 'UTF8')::jsonb->>'t')::timestamptz))::float8
          as off from ledger_entry`
        for (const { off } of entries) assert.ok(off * 1000 < nearMs, `${off} s`)
        assert.match(wrong.output(), /this machine's clock is not the database's/)
      })
    },
  )
}
