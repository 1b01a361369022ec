// Plug-ins as commands start them: the manifest from its file, the process behind the decoder's walls.
import { resolve } from 'node:path'
import { UsageError } from '../domain/errors.ts'
import { parseManifest } from '../plugins/manifest.ts'
import type { Manifest } from '../plugins/manifest.ts'
import type { PluginParts } from '../plugins/plugin-host.ts'
import { decoderDefaults } from '../signals/decoder.ts'
import { openSandbox } from '../signals/sandbox.ts'
import type { Io } from './io.ts'

/** Throws UsageError when it cannot be read or is wrong. */
export function readManifest(io: Pick<Io, 'readFile'>, path: string): Manifest {
  const whole = resolve(path)
  let text: string
  try {
    text = io.readFile(whole)
  } catch (cause) {
    throw new UsageError(`${path} cannot be read`, { cause })
  }
  return parseManifest(text, whole)
}

/** The start refuses manifests that are wrong, and two of one name. */
export function readManifests(io: Pick<Io, 'readFile'>, paths: readonly string[]): Manifest[] {
  const manifests = paths.map((path) => readManifest(io, path))
  const names = manifests.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`two plug-ins are called ${twice}`)
  return manifests
}

export async function openPluginParts(io: Io): Promise<PluginParts> {
  const { memoryBytes, processorSeconds, nodePath } = decoderDefaults
  const sandbox = await openSandbox({
    ...{ memoryBytes, processorSeconds, nodePath },
    warn: (message) => io.err(`sandbox: ${message}`),
  })
  return { spawn: (argv, limits) => sandbox.spawnProgram(argv, limits), clock: Date.now }
}
