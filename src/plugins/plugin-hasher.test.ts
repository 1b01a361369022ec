import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { HashOutcome } from '../domain/ports.ts'
import { parseManifest } from './manifest.ts'
import type { SignalTypeManifest } from './manifest.ts'
import { oddManifest } from './odd-in-test.ts'
import { createPluginHasher, otherTypesOf, pluginHasherLimits } from './plugin-hasher.ts'
import type { PluginHash, SignalPlugin } from './signal-plugin.ts'

const bytes = Buffer.from('bytes')
const signal = new AbortController().signal
const ours: HashOutcome = { media: 'image', format: 'png', signals: { sha256: 'ab'.repeat(32) } }

function manifestOf(change: object = {}): SignalTypeManifest {
  const text = JSON.stringify(oddManifest('good', change))
  return parseManifest(text, '/etc/odd.json') as SignalTypeManifest
}

type Plugin = Pick<SignalPlugin, 'manifest' | 'hash'>

function answering(answer: PluginHash, change: object = {}): Plugin {
  return { manifest: manifestOf(change), hash: async () => answer }
}

function hasherWith(plugins: Plugin[], outcome = ours) {
  const failures: string[] = []
  const hasher = createPluginHasher({
    hasher: { hash: async () => outcome },
    plugins,
    onFailed: ({ name, reason }) => failures.push(`${name} ${reason}`),
  })
  return { failures, hash: (by = signal) => hasher.hash({ bytes, signal: by }) }
}

test('asks those of the kind of media, keeps what each says with its version, and names those that failed', async () => {
  const { hash, failures } = hasherWith([
    answering({ kind: 'value', value: '0123abcd', quality: 80.4 }),
    answering({ kind: 'none' }, { name: 'none', version: '7' }),
    answering({ kind: 'value', value: '00000000' }, { name: 'films', media: ['video'] }),
    answering({ kind: 'failed', reason: 'ended' }, { name: 'broken' }),
    answering({ kind: 'failed', reason: 'refused' }, { name: 'choosy' }),
  ])
  const { signals, failedPlugins } = await hash()
  assert.deepEqual(signals.others, [
    { type: 'odd', version: '1', value: '0123abcd', quality: 80 },
    { type: 'none', version: '7' },
    { type: 'choosy', version: '1', refused: true },
  ])
  assert.deepEqual(failedPlugins, ['broken'])
  assert.deepEqual(failures, ['broken ended', 'choosy refused'])
  assert.equal(signals.sha256, ours.signals.sha256)
})

test('no bytes are shown to nobody', async () => {
  const empty: HashOutcome = { ...ours, unscannable: 'empty' }
  const { hash } = hasherWith([answering({ kind: 'none' })], empty)
  assert.deepEqual(await hash(), empty)
})

test('who waits too long goes without an answer, and its ask is not made any more', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let waiting: AbortSignal | undefined
  const hash: SignalPlugin['hash'] = (_, signal) => {
    waiting = signal
    return new Promise(() => {})
  }
  const hasher = hasherWith([{ manifest: manifestOf(), hash }])
  const hashed = hasher.hash()
  await Promise.resolve()
  await Promise.resolve()
  t.mock.timers.tick(pluginHasherLimits.answerMsMax)
  assert.deepEqual((await hashed).failedPlugins, ['odd'])
  assert.deepEqual([hasher.failures, waiting?.aborted], [['odd timeout'], true])
})

test('a stop waits for no program', async () => {
  const stop = new AbortController()
  const never: SignalPlugin['hash'] = () => new Promise(() => {})
  const hashed = hasherWith([{ manifest: manifestOf(), hash: never }]).hash(stop.signal)
  stop.abort(new Error('stopped'))
  await assert.rejects(hashed, /stopped/)
  const again = hasherWith([{ manifest: manifestOf(), hash: never }]).hash(stop.signal)
  await assert.rejects(again, /stopped/)
})

test('of the manifests the types are known that can be searched; an exchange is none, another stops the start', () => {
  const exact = manifestOf({ metric: { kind: 'exact' } })
  assert.deepEqual(otherTypesOf([exact]).get('odd'), {
    ...{ type: 'odd', version: '1', media: ['image'], digits: 8, radius: 0 },
  })
  assert.equal(otherTypesOf([manifestOf()]).get('odd')?.radius, 4)
  const compare = manifestOf({ metric: { kind: 'compare', radius: 1 } })
  const long = manifestOf({ name: 'long', digits: 130, metric: { kind: 'exact' } })
  assert.throws(() => otherTypesOf([exact, compare, long]), /odd: metric compare.*\n.*long.*128/s)
})
