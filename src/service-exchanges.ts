// Which exchanges are fetched: for each plug-in of that kind, a client of the api that has its name.
import type { ExchangeApis } from './domain/ports.ts'
import { pluginClient } from './plugins/exchange-plugin.ts'
import type { ExchangeManifest, Manifest } from './plugins/manifest.ts'
import type { PluginParts } from './plugins/plugin-host.ts'

export function exchangeManifests(plugins: readonly Manifest[]): ExchangeManifest[] {
  return plugins.filter((manifest) => manifest.kind === 'exchange')
}

export async function openExchangeApis(
  plugins: readonly Manifest[],
  openParts: () => Promise<PluginParts>,
): Promise<ExchangeApis> {
  const manifests = exchangeManifests(plugins)
  if (manifests.length === 0) return new Map()
  const parts = await openParts()
  return new Map(
    manifests.map((manifest) => [manifest.name, (setup) => pluginClient(manifest, setup, parts)]),
  )
}
