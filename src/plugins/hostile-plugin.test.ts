// A program that means harm: what it says is not believed, what it starts ends with it, and nothing grows here.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Sandbox } from '../signals/sandbox.ts'
import { openExchangePlugin } from './exchange-plugin.ts'
import { parseManifest } from './manifest.ts'
import type { ExchangeManifest, SignalTypeManifest } from './manifest.ts'
import type { PluginParts } from './plugin-host.ts'
import { openSignalPlugin } from './signal-plugin.ts'
import { sandboxInTest } from '../testing/plugin-sandbox.ts'

const fixture = fileURLToPath(new URL('fixtures/odd-plugin.ts', import.meta.url))
const limits = { wallMs: 5000, memoryMb: 1024 }
const good = { kind: 'value', value: '132681ca' }

let sandbox: Sandbox
before(async () => {
  sandbox = await sandboxInTest()
})

const parts = (): PluginParts => ({
  spawn: (argv, given) => sandbox.spawnProgram(argv, given),
  clock: Date.now,
})

function manifestOf(behaviour: string, change: object = {}, words: string[] = []): string {
  return JSON.stringify({
    ...{ blobwatch: 1, kind: 'signal-type', name: 'odd', version: '1', limits },
    command: [process.execPath, '--no-warnings', fixture, behaviour, ...words],
    ...{ media: ['image', 'other'], digits: 8, metric: { kind: 'hamming', bits: 32, radius: 4 } },
    ...change,
  })
}

function odd(behaviour: string, change: object = {}, words: string[] = []) {
  const parsed = parseManifest(manifestOf(behaviour, change, words), '/etc/odd.json')
  return openSignalPlugin(parsed as SignalTypeManifest, parts())
}

/** The processes that sleep for so long: nobody else does. */
async function sleepers(seconds: string): Promise<number> {
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines.filter((line) => line === `sleep\0${seconds}\0`).length
}

async function untilSleepers(seconds: string, count: number): Promise<void> {
  while ((await sleepers(seconds)) !== count) await sleep(20)
}

describe('a program that means harm', { timeout: 60_000 }, () => {
  test('is not believed for numbers, texts and nesting that are none', async () => {
    for (const behaviour of [
      'surrogate',
      'no-utf8',
      'huge',
      'nan',
      'deep',
      'prototype',
      'gigabyte',
    ]) {
      await using plugin = odd(behaviour)
      const hashed = await plugin.hash(new Uint8Array(10))
      assert.deepEqual(hashed, { kind: 'failed', reason: 'protocol' }, behaviour)
    }
    await using far = odd('endlessly-far', { metric: { kind: 'compare', radius: 1 } })
    const distance = await far.compare('00000000', '00000001')
    assert.deepEqual(distance, { kind: 'failed', reason: 'protocol' })
  })

  test('that answers before it is asked is ended, and its answer is nobody’s', async () => {
    await using plugin = odd('ahead')
    assert.deepEqual(await plugin.hash(new Uint8Array(10)), good)
    await sleep(100)
    assert.deepEqual(await plugin.hash(new Uint8Array(10)), good)
    assert.equal(plugin.host.starts(), 2)
  })

  test('that reads nothing of a large file is ended in its time', async () => {
    await using plugin = odd('deaf', { limits: { ...limits, wallMs: 300 } })
    const hashed = await plugin.hash(new Uint8Array(64 * 1024 * 1024))
    assert.deepEqual(hashed, { kind: 'failed', reason: 'timeout' })
  })

  test('that floods its standard error is heard to the last 4,096 characters', async () => {
    await using plugin = odd('flood-stderr')
    assert.deepEqual(await plugin.hash(new Uint8Array(10)), good)
    assert.equal(plugin.host.lastWords().length, 4096)
  })

  test('leaves nothing behind of what it started in a session of its own', async (t) => {
    if (sandbox.walls.network === 'open') return t.skip('this machine has no namespaces')
    const seconds = `${process.pid}1`
    await using plugin = odd('fork', {}, [seconds])
    const hashed = plugin.hash(new Uint8Array(10))
    await untilSleepers(seconds, 2)
    await plugin[Symbol.asyncDispose]()
    assert.equal((await hashed).kind, 'failed')
    await untilSleepers(seconds, 0)
  })

  test('ends with us when we are killed, and so does what it started', async (t) => {
    if (sandbox.walls.network === 'open' || sandbox.walls.user === 'same')
      return t.skip('this machine has no namespaces')
    const dir = await mkdtemp(join(tmpdir(), 'blobwatch-plugin-'))
    t.after(() => rm(dir, { recursive: true, force: true }))
    const seconds = `${process.pid}2`
    const manifest = join(dir, 'manifest.json')
    const long = { limits: { ...limits, wallMs: 60_000 } }
    await writeFile(manifest, manifestOf('fork', long, [seconds]))
    const main = join(import.meta.dirname, '..', 'main.ts')
    const host = spawn(process.execPath, [main, 'hash', '--plugin', manifest, fixture], {
      env: {},
      stdio: 'ignore',
    })
    await untilSleepers(seconds, 2)
    host.kill('SIGKILL')
    await once(host, 'exit')
    await untilSleepers(seconds, 0)
  })

  test('gives no text of an exchange that the database does not hold', async () => {
    const manifest = JSON.stringify({
      ...{ blobwatch: 1, kind: 'exchange', name: 'odd', version: '1', limits },
      command: [process.execPath, '--no-warnings', fixture, 'odd-text'],
    })
    for (const checkpoint of ['a\0', '\ud800', 'c']) {
      await using plugin = openExchangePlugin(
        parseManifest(manifest, '/x.json') as ExchangeManifest,
        parts(),
      )
      const fetched = await plugin.fetch(checkpoint)
      assert.deepEqual(fetched, { kind: 'failed', reason: 'protocol' }, checkpoint)
    }
  })
})
