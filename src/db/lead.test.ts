import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError } from '../domain/errors.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import { connect } from './client.ts'
import { lead } from './lead.ts'
import type { Leadership } from './lead.ts'
import { openSession } from './session.ts'
import type { Session } from './session.ts'

const database = await testDatabase()
let lockKey = 7_000_000_000
let epochs = 0

test('one of two contenders leads; when it ends, the other one does', async (t) => {
  const [first, second] = contenders(t)
  const leader = await Promise.race([first.leads(), second.leads()])
  await sleep(400)
  assert.equal(first.active() + second.active(), 1)
  const [leading, waiting] = first.active() === 1 ? [first, second] : [second, first]
  await leading.end()
  assert.equal(leader.signal.aborted, true)
  const next = await waiting.leads(leader.epoch + 1)
  assert.ok(next.epoch > leader.epoch, 'the fence is raised')
  await waiting.end()
})

test('a leader whose session is killed hears of it, and another leads within ten seconds', async (t) => {
  const [first, second] = contenders(t)
  const leader = await Promise.race([first.leads(), second.leads()])
  const [leading, waiting] = first.active() === 1 ? [first, second] : [second, first]
  const lost = once(leader.signal, 'abort')
  const startMs = performance.now()
  await terminate(leading.backendPid())
  await lost
  // The one that lost it may win it back; in either case someone leads again. The loser of the race polls until it ends.
  const next = await Promise.race([
    waiting.leads(leader.epoch + 1),
    leading.leads(leader.epoch + 1),
  ])
  assert.ok(performance.now() - startMs < 10_000)
  assert.ok(next.epoch > leader.epoch)
  assert.equal(first.active() + second.active(), 1)
  await Promise.all([first.end(), second.end()])
})

test('a leader whose lock is gone from a living session hears of it', async (t) => {
  const [only] = contenders(t, { autoStart: false })
  only.start()
  const leader = await only.leads()
  const lost = once(leader.signal, 'abort')
  await only.session().sql`select pg_advisory_unlock_all()`
  await lost
  assert.match(String(leader.signal.reason), /lock of the leader is gone/)
  await only.end()
})

test('takes over from a process that was killed', async (t) => {
  const [waiting] = contenders(t, { autoStart: false })
  const url = (file: string) => JSON.stringify(new URL(file, import.meta.url).href)
  const script = `
    import { lead } from ${url('./lead.ts')}
    import { openSession } from ${url('./session.ts')}
    const log = { debug() {}, info() {}, warn() {}, error() {} }
    await lead({ lockKey: ${lockKey}, signal: new AbortController().signal, log, raiseEpoch: async () => 1,
      open: () => openSession(${JSON.stringify(database.ownerAddress)}, { applicationName: 'leader', log }),
      onLead: async () => { console.log('leads'); await new Promise((resolve) => setTimeout(resolve, 60_000)) } })`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  await once(createInterface({ input: child.stdout }), 'line')
  waiting.start()
  await sleep(500)
  assert.equal(waiting.active(), 0)
  child.kill('SIGKILL')
  await waiting.leads()
  await waiting.end()
})

test('goes on after work that failed, and ends with a FatalError', async () => {
  const failures = [new Error('once'), new FatalError('for good')]
  const leading = lead({
    ...settings(),
    signal: new AbortController().signal,
    onLead: async () => {
      throw failures.shift() ?? new Error('too often')
    },
  })
  await assert.rejects(leading, /for good/)
})

function settings() {
  return {
    lockKey,
    log: silentLog,
    checkMs: 100,
    retryMs: 100,
    raiseEpoch: async () => ++epochs,
    open: () => openSession(database.ownerAddress, { applicationName: 'lead', log: silentLog }),
  }
}

/** Two contenders for a lock of their own. */
function contenders(t: TestContext, { autoStart = true } = {}) {
  lockKey++
  const make = () => {
    const stop = new AbortController()
    let session: Session | undefined
    let running: Promise<void> = Promise.resolve()
    let active = 0
    let latest: Leadership | undefined
    const start = () => {
      running = lead({
        ...settings(),
        signal: stop.signal,
        open: async () => (session = await settings().open()),
        onLead: async (leadership) => {
          active++
          latest = leadership
          await new Promise((resolve) => leadership.signal.addEventListener('abort', resolve))
          active--
        },
      })
    }
    const end = async () => {
      stop.abort()
      await running
    }
    t.after(end)
    return {
      start,
      end,
      active: () => active,
      /** Its leadership of at least that epoch. */
      leads: async (epoch = 0): Promise<Leadership> => {
        for (;;) {
          if (latest && latest.epoch >= epoch) return latest
          stop.signal.throwIfAborted()
          await sleep(10)
        }
      },
      session: () => session as Session,
      backendPid: () => session?.backendPid ?? 0,
    }
  }
  const pair = [make(), make()] as const
  if (autoStart) for (const one of pair) one.start()
  return pair
}

async function terminate(backendPid: number): Promise<void> {
  const settings = { max: 1, applicationName: 'test', log: silentLog }
  const admin = connect(database.superuserAddress, settings)
  await admin`select pg_terminate_backend(${backendPid})`
  await admin.end()
}
