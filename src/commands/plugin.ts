// plugin: whether a signal type or exchange of somebody else does what the protocol asks.
import type { Command } from 'commander'
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { UsageError } from '../domain/errors.ts'
import { checkExchangePlugin, checkSignalPlugin } from '../plugins/check.ts'
import type { CheckRow, Sample } from '../plugins/check.ts'
import { openExchangePlugin } from '../plugins/exchange-plugin.ts'
import type { Manifest } from '../plugins/manifest.ts'
import type { PluginParts } from '../plugins/plugin-host.ts'
import { readManifest } from '../plugins/read-manifests.ts'
import { openSignalPlugin } from '../plugins/signal-plugin.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { printJson, printTable } from './output.ts'
import { configuredManifests, openParts } from './plugins.ts'

type CheckOptions = { sample?: string[]; json?: boolean }
type Checked = { plugin: string; kind: Manifest['kind']; checks: CheckRow[] }

export function addPlugin(program: Command, io: Io): void {
  const command = program
    .command('plugin')
    .description('signal types and exchanges of others, as programs (docs/extending.md)')
  withExamples(
    command
      .command('check')
      .description('start a plug-in in its sandbox and try what the protocol asks of it')
      .argument('[MANIFEST]', 'its JSON file; without one, those of BLOBWATCH_PLUGINS')
      .option('--sample <FILE...>', 'files of the kind that it has values for')
      .option('--json', 'print the result as JSON')
      .action((manifest: string | undefined, options: CheckOptions) =>
        runCheck(io, manifest, options),
      ),
    [
      'plugin check examples/plugins/average-hash/manifest.json --sample a.pgm b.pgm',
      'plugin check --json',
    ],
  )
}

async function runCheck(io: Io, path: string | undefined, options: CheckOptions): Promise<void> {
  const manifests = path === undefined ? configuredManifests(io) : [readManifest(path, io.readFile)]
  if (manifests.length === 0) throw new UsageError('name a MANIFEST, or set BLOBWATCH_PLUGINS')
  const samples = await Promise.all((options.sample ?? []).map(readSample))
  const parts = await openParts(io)
  const checked: Checked[] = []
  for (const manifest of manifests) {
    const { name, kind } = manifest
    checked.push({ plugin: name, kind, checks: await checkOf(manifest, parts, samples) })
  }
  if (options.json === true) printJson(io, { plugins: checked })
  else for (const one of checked) printChecked(io, one)
  if (checked.some(({ checks }) => checks.some(({ state }) => state === 'fails')))
    io.setExitCode(exitCodes.notOk)
}

function checkOf(manifest: Manifest, parts: PluginParts, samples: Sample[]): Promise<CheckRow[]> {
  return manifest.kind === 'exchange'
    ? checkExchangePlugin(() => openExchangePlugin(manifest, parts))
    : checkSignalPlugin(() => openSignalPlugin(manifest, parts), samples)
}

async function readSample(file: string): Promise<Sample> {
  try {
    return { name: basename(file), bytes: await readFile(file) }
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
}

function printChecked(io: Io, { plugin, kind, checks }: Checked): void {
  io.out(`${plugin} (${kind})`)
  printTable(
    io,
    checks,
    [
      { head: 'check', cell: ({ check }) => check },
      { head: '', cell: ({ state }) => state },
      { head: 'found', cell: ({ detail }) => detail },
    ],
    'nothing was tried',
  )
}
