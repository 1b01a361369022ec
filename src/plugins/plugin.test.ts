import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Sandbox } from '../signals/sandbox.ts'
import { openExchangePlugin } from './exchange-plugin.ts'
import { hostLimits } from './plugin-host.ts'
import type { PluginParts } from './plugin-host.ts'
import { parseManifest } from './manifest.ts'
import type { ExchangeManifest, SignalTypeManifest } from './manifest.ts'
import { signalPluginContract } from './plugin.contract.ts'
import { openSignalPlugin } from './signal-plugin.ts'
import type { SignalPlugin } from './signal-plugin.ts'
import { sandboxInTest } from '../testing/plugin-sandbox.ts'

const fixture = fileURLToPath(new URL('fixtures/odd-plugin.ts', import.meta.url))
const example = fileURLToPath(
  new URL('../../examples/plugins/average-hash/manifest.json', import.meta.url),
)
const picture = Uint8Array.from(Buffer.from('bytes of a picture'))

let sandbox: Sandbox
let nowMs = 1_000_000
before(async () => {
  sandbox = await sandboxInTest()
})

const parts = (): PluginParts => ({
  spawn: (argv, limits) => sandbox.spawnProgram(argv, limits),
  clock: () => nowMs,
})

/** V8 reserves 512 MB that count. */
const limits = { wallMs: 5000, memoryMb: 1024 }

function odd(behaviour: string, change: object = {}, words: string[] = []): SignalPlugin {
  const manifest = {
    blobwatch: 1,
    kind: 'signal-type',
    name: 'odd',
    version: '1',
    command: [process.execPath, '--no-warnings', fixture, behaviour, ...words],
    media: ['image'],
    digits: 8,
    metric: { kind: 'hamming', bits: 32, radius: 4 },
    limits,
    ...change,
  }
  const parsed = parseManifest(JSON.stringify(manifest), '/etc/odd.json') as SignalTypeManifest
  return openSignalPlugin(parsed, parts())
}

const samples = ['a', 'b', 'c'].map((text) => Uint8Array.from(Buffer.from(text)))
signalPluginContract('a program of Node', async () => odd('good'), samples)
signalPluginContract(
  'a program that compares by itself',
  async () => odd('good', { metric: { kind: 'compare', radius: 0.1 } }),
  samples,
)
if (existsSync('/usr/bin/python3')) {
  const manifest = parseManifest(readFileSync(example, 'utf8'), example) as SignalTypeManifest
  const open = async () => openSignalPlugin(manifest, parts())
  signalPluginContract('the example in Python', open, [
    pgm((x) => x * 2),
    pgm((_, y) => y * 2),
    pgm((x, y) => ((x >> 4) + (y >> 4)) * 8),
  ])
  test('the example in Python: knows a picture in another size and light, and no plain one', async () => {
    await using plugin = await open()
    const bright = await plugin.hash(pgm((x, y) => (x + y) / 2))
    const dark = await plugin.hash(pgm((x, y) => (x + y) / 4, 64))
    assert.ok(bright.kind === 'value' && dark.kind === 'value')
    const compared = await plugin.compare(bright.value, dark.value)
    assert.ok(compared.kind === 'distance' && compared.distance <= 6)
    for (const bytes of [pgm(() => 120), picture, pgm((x) => x).subarray(0, 500)])
      assert.deepEqual(await plugin.hash(bytes), { kind: 'none' })
  })
} else {
  test('the example in Python', { skip: 'there is no /usr/bin/python3' }, () => {})
}

test('ends each way of misbehaving in its own reason, and the process with it', async () => {
  const reasons: [string, string][] = [
    ['crash', 'ended'],
    ['hang', 'timeout'],
    ['garbage', 'protocol'],
    ['no-object', 'protocol'],
    ['other-id', 'protocol'],
    ['two-lines', 'protocol'],
    ['endless', 'protocol'],
    ['wrong-value', 'protocol'],
    ['upper', 'protocol'],
    ['wrong-quality', 'protocol'],
    ['old', 'protocol'],
  ]
  for (const [behaviour, reason] of reasons) {
    await using plugin = odd(behaviour, {
      limits: { ...limits, wallMs: behaviour === 'hang' ? 300 : limits.wallMs },
    })
    assert.deepEqual(await plugin.hash(picture), { kind: 'failed', reason }, behaviour)
    assert.deepEqual(await plugin.hash(picture), { kind: 'failed', reason: 'resting' }, behaviour)
  }
})

test('memory beyond the manifest’s is not to be had', async (t) => {
  if (sandbox.walls.limits === 'missing') return t.skip('this machine sets no limits')
  await using plugin = odd('memory')
  const hashed = await plugin.hash(picture)
  assert.ok(hashed.kind === 'failed' && ['memory', 'ended'].includes(hashed.reason))
})

test('says nothing of what it was given when it refuses, and goes on in the same process', async () => {
  await using plugin = odd('refuses')
  for (let i = 0; i < 2; i++)
    assert.deepEqual(await plugin.hash(picture), { kind: 'failed', reason: 'refused' })
  assert.equal(plugin.host.starts(), 1)
})

test('is started anew after a rest that doubles, and at once after it did well', async () => {
  await using plugin = odd('crash-once')
  const bad = Uint8Array.of(1)
  const ended = { kind: 'failed', reason: 'ended' }
  const resting = { kind: 'failed', reason: 'resting' }
  const { first } = hostLimits.restMs
  assert.deepEqual(await plugin.hash(bad), ended)
  nowMs += first - 1
  assert.deepEqual(await plugin.hash(bad), resting)
  nowMs += 1
  assert.deepEqual(await plugin.hash(bad), ended)
  nowMs += first
  assert.deepEqual(await plugin.hash(bad), resting)
  nowMs += first
  assert.equal((await plugin.hash(picture)).kind, 'value')
  assert.deepEqual(await plugin.hash(bad), ended)
  nowMs += first
  assert.equal((await plugin.hash(picture)).kind, 'value')
  assert.equal(plugin.host.starts(), 4)
})

test('rests no longer because the clock is set back', async () => {
  await using plugin = odd('crash-once')
  assert.equal((await plugin.hash(Uint8Array.of(1))).kind, 'failed')
  nowMs -= 7_200_000
  assert.equal((await plugin.hash(picture)).kind, 'value')
})

test('an ask that nobody waits for any more when its turn comes is not made', async () => {
  await using plugin = odd('good')
  const gone = new AbortController()
  const [first, second, third] = [
    plugin.hash(picture),
    plugin.hash(picture, gone.signal),
    plugin.hash(picture, new AbortController().signal),
  ]
  gone.abort()
  assert.deepEqual(await second, { kind: 'failed', reason: 'resting' })
  assert.deepEqual([(await first).kind, (await third).kind], ['value', 'value'])
})

test('a signal type reaches no network and sees no environment', async (t) => {
  if (sandbox.walls.network === 'open') return t.skip('this machine cannot cut the network')
  const server = createServer((socket) => socket.destroy())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => server.close())
  const { port } = server.address() as AddressInfo
  await using connecting = odd('network', {}, [String(port)])
  assert.deepEqual(await connecting.hash(picture), { kind: 'value', value: '00000000' })
  await using looking = odd('environment')
  assert.deepEqual(await looking.hash(picture), { kind: 'value', value: '00000000' })
})

test('a program that is not there is an end like any other', async () => {
  await using plugin = odd('good', { command: ['no-such-program-anywhere'] })
  assert.deepEqual(await plugin.hash(picture), { kind: 'failed', reason: 'ended' })
  await using nothing = odd('none')
  assert.deepEqual(await nothing.hash(picture), { kind: 'none' })
})

test('an exchange hands over changes page by page, with its configuration and nothing unparsed', async () => {
  const config = { account: 'one' }
  const open = (behaviour: string) => {
    const command = [process.execPath, '--no-warnings', fixture, behaviour]
    const text = JSON.stringify({
      ...{ blobwatch: 1, kind: 'exchange', name: 'odd', version: '1', command, config, limits },
    })
    return openExchangePlugin(parseManifest(text, '/x.json') as ExchangeManifest, parts())
  }
  await using exchange = open('good')
  const first = await exchange.fetch(undefined)
  assert.ok(first.kind === 'updates')
  assert.deepEqual(
    [first.updates.map(({ op, id }) => [op, id]), first.checkpoint, first.more],
    [
      [
        ['put', JSON.stringify(config)],
        ['put', 'b'],
      ],
      '1',
      true,
    ],
  )
  assert.deepEqual(await exchange.fetch(first.checkpoint), {
    kind: 'updates',
    updates: [{ op: 'delete', id: 'b' }],
    checkpoint: '2',
    more: false,
  })
  await using stuck = open('stuck')
  assert.deepEqual(await stuck.fetch('7'), { kind: 'failed', reason: 'protocol' })
  await using wrong = open('wrong-update')
  assert.deepEqual(await wrong.fetch(undefined), { kind: 'failed', reason: 'protocol' })
})

/** A grey picture of `side` by `side`, from a function over 0 to 127. */
function pgm(grey: (x: number, y: number) => number, side = 128): Uint8Array {
  const scale = 128 / side
  const pixels = Uint8Array.from({ length: side * side }, (_, i) =>
    Math.round(grey((i % side) * scale, Math.floor(i / side) * scale)),
  )
  return Uint8Array.from([...Buffer.from(`P5\n${side} ${side}\n255\n`), ...pixels])
}
