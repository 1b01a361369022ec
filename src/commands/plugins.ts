// Plug-ins as commands start them: the manifest from its file, the process behind the decoder's walls.
import { resolve } from 'node:path'
import { parseConfig } from '../config.ts'
import { UsageError } from '../domain/errors.ts'
import { parseManifest } from '../plugins/manifest.ts'
import type { Manifest } from '../plugins/manifest.ts'
import type { PluginParts } from '../plugins/plugin-host.ts'
import { openPluginParts } from '../service-plugins.ts'
import type { Io } from './io.ts'

/** Throws UsageError when it cannot be read or is wrong. */
export function readManifest(io: Io, path: string): Manifest {
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
export function readManifests(io: Io, paths: readonly string[]): Manifest[] {
  const manifests = paths.map((path) => readManifest(io, path))
  const names = manifests.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`two plug-ins are called ${twice}`)
  return manifests
}

/** The settings' own: of the service, and of every command that hashes or takes values. */
export function configuredManifests(io: Io): Manifest[] {
  // Most deployments have none, and then a command that needs no setting reads none.
  if (!io.env['BLOBWATCH_PLUGINS']) return []
  return readManifests(io, parseConfig(io.env, io.readFile).plugins)
}

export function openParts(io: Io): Promise<PluginParts> {
  return openPluginParts({ clock: Date.now, warn: (message) => io.err(`sandbox: ${message}`) })
}
