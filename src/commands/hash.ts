// hash: what a file's signals are. Needs no database and no setting.
import type { Command } from 'commander'
import { pdqQualityMin } from '../domain/blob.ts'
import type { MediaKind, OtherSignal } from '../domain/blob.ts'
import { blobCidOf } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import { readManifest } from '../plugins/read-manifests.ts'
import { openSignalPlugin } from '../plugins/signal-plugin.ts'
import type { PluginHash, SignalPlugin } from '../plugins/signal-plugin.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printFacts, printJson } from './output.ts'
import { openParts } from './plugins.ts'
import { hashFile, withHasher } from './read-blob.ts'
import type { HashedFile } from './read-blob.ts'

type HashOptions = { plugin?: string; json?: boolean }
type Shown = HashedFile & { plugin?: PluginValue }
type PluginValue = PluginHash & { name: string }

export function addHash(program: Command, io: Io): void {
  withExamples(
    program
      .command('hash')
      .description(
        'print the signals of files: digests, PDQ with its quality, kind, why unscannable',
      )
      .argument('<FILE...>', 'files; - is stdin')
      .option('--plugin <MANIFEST>', 'print the value of a plug-in too (docs/extending.md)')
      .option('--json', 'print the result as JSON')
      .action((files: string[], options: HashOptions) => run(io, files, options)),
    [
      'hash picture.jpg',
      'hash --json *.png',
      'hash --plugin examples/plugins/average-hash/manifest.json picture.pgm',
      'curl -s https://example.com/a.jpg | blobwatch hash -',
    ],
  )
}

async function run(io: Io, files: string[], options: HashOptions): Promise<void> {
  await using plugin = await openPlugin(io, options.plugin)
  const hashed: Shown[] = []
  await withHasher(io, async (hasher) => {
    for (const file of files) {
      let value: PluginValue | undefined
      const one = await hashFile(io, hasher, file, async (bytes, { media }) => {
        if (plugin !== undefined) value = await valueOf(plugin, bytes, media)
      })
      hashed.push(value === undefined ? one : { ...one, plugin: value })
      if (options.json === true) continue
      printFile(io, one, hashed.length > 1)
      if (value !== undefined) printFacts(io, [[value.name, valueInWords(value)]])
    }
  })
  if (options.json === true) printJson(io, { files: hashed.map(forMachines) })
}

async function openPlugin(io: Io, path: string | undefined): Promise<SignalPlugin | undefined> {
  if (path === undefined) return undefined
  const manifest = readManifest(path, io.readFile)
  if (manifest.kind === 'exchange')
    throw new UsageError(`${path} is an exchange: it hashes nothing`)
  return openSignalPlugin(manifest, await openParts(io))
}

async function valueOf(
  plugin: SignalPlugin,
  bytes: Uint8Array,
  media: MediaKind,
): Promise<PluginValue> {
  const { name, media: asked } = plugin.manifest
  return asked.includes(media) ? { name, ...(await plugin.hash(bytes)) } : { name, kind: 'none' }
}

function valueInWords(hashed: PluginHash): string {
  switch (hashed.kind) {
    case 'value':
      return hashed.quality === undefined
        ? hashed.value
        : `${hashed.value} (quality ${hashed.quality})`
    case 'none':
      return 'no value for this file'
    case 'failed':
      return `failed: ${hashed.reason}`
    default:
      return hashed satisfies never
  }
}

function saidInWords({ value, quality, refused }: OtherSignal): string {
  if (refused === true) return valueInWords({ kind: 'failed', reason: 'refused' })
  if (value === undefined) return valueInWords({ kind: 'none' })
  return valueInWords({ kind: 'value', value, ...(quality !== undefined && { quality }) })
}

function forMachines(one: Shown): object {
  return 'signals' in one ? { ...one, cid: blobCidOf(one.signals.sha256) } : one
}

function printFile(io: Io, one: HashedFile, apart: boolean): void {
  if (apart) io.out('')
  if (!('signals' in one)) {
    printFacts(io, [
      ['file', one.file],
      ['unscannable', `too-large: more than ${one.bytes} bytes`],
    ])
    return
  }
  const { signals } = one
  const low =
    (signals.pdq?.quality ?? 100) < pdqQualityMin ? `, under ${pdqQualityMin}: not compared` : ''
  printFacts(io, [
    ['file', one.file],
    ['bytes', one.bytes],
    ['kind', `${one.media} (${one.format})`],
    ['cid', blobCidOf(signals.sha256)],
    ['sha256', signals.sha256],
    ['md5', signals.md5],
    ['sha1', signals.sha1],
    ['pdq', signals.pdq && `${signals.pdq.hash} (quality ${signals.pdq.quality}${low})`],
    ...(signals.others ?? []).map((said): [string, string] => [said.type, saidInWords(said)]),
    ...(one.failedPlugins ?? []).map((name): [string, string] => [name, 'gave no answer']),
    ['unscannable', one.unscannable],
  ])
}
