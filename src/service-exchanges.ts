// Which exchanges are fetched: for each plug-in of that kind, a client of the api that has its name.
import type { Clock, ExchangeApis } from './domain/ports.ts'
import { pluginClient } from './plugins/exchange-plugin.ts'
import type { ExchangeManifest, Manifest } from './plugins/manifest.ts'
import { decoderDefaults } from './signals/decoder.ts'
import { openSandbox } from './signals/sandbox.ts'

export function exchangeManifests(plugins: readonly Manifest[]): ExchangeManifest[] {
  return plugins.filter((manifest) => manifest.kind === 'exchange')
}

export async function openExchangeApis(
  plugins: readonly Manifest[],
  { clock, warn }: { clock: Clock; warn: (message: string) => void },
): Promise<ExchangeApis> {
  const manifests = exchangeManifests(plugins)
  if (manifests.length === 0) return new Map()
  const { memoryBytes, processorSeconds, nodePath } = decoderDefaults
  const sandbox = await openSandbox({ memoryBytes, processorSeconds, nodePath, warn })
  const spawn: Parameters<typeof pluginClient>[2]['spawn'] = (argv, limits) =>
    sandbox.spawnProgram(argv, limits)
  return new Map(
    manifests.map((manifest) => [
      manifest.name,
      (config) => pluginClient(manifest, config, { spawn, clock }),
    ]),
  )
}
