// A signal type of others: bytes to a value, two values to a distance.
import type { SignalTypeManifest } from './manifest.ts'
import { distanceBy } from './metric.ts'
import { createPluginHost } from './plugin-host.ts'
import type { PluginHost, PluginParts } from './plugin-host.ts'
import type { PluginFailure } from './plugin-process.ts'

export type PluginHash =
  /** Lowercase hex of the declared length. quality: 0 to 100. */
  | { kind: 'value'; value: string; quality?: number }
  /** It has no value for these bytes: of a format it does not read, or too plain. */
  | { kind: 'none' }
  | { kind: 'failed'; reason: PluginFailure | 'too-large' }

export type PluginDistance =
  { kind: 'distance'; distance: number } | { kind: 'failed'; reason: PluginFailure }

/** Never throws for what the program does. A failure is worth another try only where its reason is of the moment. */
export type SignalPlugin = AsyncDisposable & {
  manifest: SignalTypeManifest
  /** `signal`: aborted before its turn, it is not asked. */
  hash(bytes: Uint8Array, signal?: AbortSignal): Promise<PluginHash>
  /** Computed here where the metric is ours; asked where it is `compare`. */
  compare(a: string, b: string): Promise<PluginDistance>
  host: Pick<PluginHost, 'lastWords' | 'starts'>
}

export const signalLimits = {
  mediaBytesMax: 128 * 1024 * 1024,
  answerBytesMax: 8192,
} as const

export function openSignalPlugin(manifest: SignalTypeManifest, parts: PluginParts): SignalPlugin {
  const host = createPluginHost(manifest, parts)
  const { answerBytesMax, mediaBytesMax } = signalLimits
  return {
    manifest,
    host,
    async hash(bytes, signal) {
      if (bytes.length > mediaBytesMax) return { kind: 'failed', reason: 'too-large' }
      return await host.ask(
        { op: 'hash', bytes, answerBytesMax },
        (line) => parseHash(manifest, line),
        signal,
      )
    },
    async compare(a, b) {
      const ours = distanceBy(manifest.metric, a, b)
      if (ours !== undefined) return { kind: 'distance', distance: ours }
      return await host.ask({ op: 'compare', fields: { a, b }, answerBytesMax }, parseDistance)
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}

function parseHash(
  { digits }: SignalTypeManifest,
  { value, quality }: Record<string, unknown>,
): PluginHash | undefined {
  if (value === null) return { kind: 'none' }
  if (typeof value !== 'string' || value.length !== digits || /[^0-9a-f]/.test(value))
    return undefined
  if (quality === undefined) return { kind: 'value', value }
  if (typeof quality !== 'number' || !(quality >= 0 && quality <= 100)) return undefined
  return { kind: 'value', value, quality }
}

function parseDistance({ distance }: Record<string, unknown>): PluginDistance | undefined {
  if (typeof distance !== 'number' || !(distance >= 0) || distance === Infinity) return undefined
  return { kind: 'distance', distance }
}
