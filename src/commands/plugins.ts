// Plug-ins as commands start them: those that the settings name, behind the decoder's walls.
import { parseConfig } from '../config.ts'
import type { Manifest } from '../plugins/manifest.ts'
import type { PluginParts } from '../plugins/plugin-host.ts'
import { readManifests } from '../plugins/read-manifests.ts'
import { openPluginParts } from '../service-plugins.ts'
import type { Io } from './io.ts'

/** Of every command that hashes or takes values. Throws UsageError for one that is wrong. */
export function configuredManifests(io: Pick<Io, 'env' | 'readFile'>): Manifest[] {
  // Most deployments have none, and then a command that needs no setting reads none.
  if (!io.env['BLOBWATCH_PLUGINS'] && !io.env['BLOBWATCH_PLUGINS_FILE']) return []
  return readManifests(parseConfig(io.env, io.readFile).plugins, io.readFile)
}

export function openParts(io: Io): Promise<PluginParts> {
  return openPluginParts({ clock: Date.now, warn: (message) => io.err(`sandbox: ${message}`) })
}
