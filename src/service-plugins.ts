// Plug-ins of the service: signal types that every blob is shown to, each a process behind the decoder's walls.
import type { Clock } from './domain/ports.ts'
import type { OtherTypes } from './domain/other-type.ts'
import type { Manifest } from './plugins/manifest.ts'
import type { PluginParts } from './plugins/plugin-host.ts'
import { otherTypesOf } from './plugins/plugin-hasher.ts'
import { openSignalPlugin } from './plugins/signal-plugin.ts'
import type { SignalPlugin } from './plugins/signal-plugin.ts'
import { decoderDefaults } from './signals/decoder.ts'
import { openSandbox } from './signals/sandbox.ts'

export type OpenPlugins = AsyncDisposable & {
  others: OtherTypes
  plugins: readonly WatchedPlugin[]
}

/** `illness`: why its last questions had no answer, where there were several in a row; one hostile file is no illness. */
export type WatchedPlugin = SignalPlugin & { illness(): string | undefined }

const failuresUntilIll = 3

/** A process is started with its first question. Throws UsageError for a type whose values cannot be searched. */
export async function openPlugins(
  manifests: readonly Manifest[],
  openParts: () => Promise<PluginParts>,
): Promise<OpenPlugins> {
  const others = otherTypesOf(manifests)
  await using stack = new AsyncDisposableStack()
  const plugins: WatchedPlugin[] = []
  if (others.size > 0) {
    const parts = await openParts()
    for (const manifest of manifests)
      if (manifest.kind === 'signal-type')
        plugins.push(watched(stack.use(openSignalPlugin(manifest, parts))))
  }
  const kept = stack.move()
  return { others, plugins, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

function watched(plugin: SignalPlugin): WatchedPlugin {
  let failures = 0
  let last = ''
  return {
    ...plugin,
    async hash(bytes, signal) {
      const answer = await plugin.hash(bytes, signal)
      // What it refuses is about the file, not about the program.
      const isFailure = answer.kind === 'failed' && answer.reason !== 'refused'
      failures = isFailure ? failures + 1 : 0
      if (isFailure) last = answer.reason
      return answer
    },
    illness: () => (failures < failuresUntilIll ? undefined : last),
  }
}

/** The walls that a plug-in runs behind; `warn` is told of those that this machine does not have. */
export async function openPluginParts(options: {
  clock: Clock
  warn: (message: string) => void
}): Promise<PluginParts> {
  const { memoryBytes, processorSeconds, nodePath } = decoderDefaults
  const { clock, warn } = options
  const sandbox = await openSandbox({ memoryBytes, processorSeconds, nodePath, warn })
  return { spawn: (argv, limits) => sandbox.spawnProgram(argv, limits), clock }
}
