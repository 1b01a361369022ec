// Our own hashing, and then every plug-in that is asked about such media.
//
// Promises: what plug-ins do changes nothing of what our own hashing found, and a plug-in that gives no answer is named in the
// outcome: whoever reads it cannot take the blob for looked at in full. Each failure is told once. Asks of one plug-in wait for
// each other, those of several do not; who waits longer than `answerMsMax` goes without.
import type { MediaKind, OtherSignal, OtherType } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { otherDigitsMax } from '../domain/other-type.ts'
import type { OtherRule, OtherTypes } from '../domain/other-type.ts'
import type { HashOutcome, Hasher } from '../domain/ports.ts'
import { manifestLimits } from './manifest.ts'
import type { Manifest, SignalTypeManifest } from './manifest.ts'
import type { PluginHash, SignalPlugin } from './signal-plugin.ts'

/** With its turn: shorter than the lease of a scan leaves, and no less than a manifest may permit for one answer. */
export const pluginHasherLimits = { answerMsMax: manifestLimits.wallMs.most } as const

type Failure = Extract<PluginHash, { kind: 'failed' }>['reason']

export function createPluginHasher(options: {
  hasher: Hasher
  plugins: readonly Pick<SignalPlugin, 'manifest' | 'hash'>[]
  onFailed: (failure: { name: string; reason: Failure }) => void
}): Hasher {
  const { hasher, plugins, onFailed } = options
  if (plugins.length === 0) return hasher
  return {
    async hash(input) {
      const hashed = await hasher.hash(input)
      // There is nothing to say about no bytes.
      if (hashed.unscannable === 'empty') return hashed
      const asked = plugins.filter(({ manifest }) => manifest.media.includes(hashed.media))
      const answers = await Promise.all(
        asked.map(async (plugin) => ({
          manifest: plugin.manifest,
          answer: await askInTime(plugin, input),
        })),
      )
      return answers.reduce((outcome, { manifest, answer }) => {
        if (answer.kind === 'failed') onFailed({ name: manifest.name, reason: answer.reason })
        return withAnswer(outcome, manifest, answer)
      }, hashed)
    },
  }
}

/** Throws the signal's reason when it is aborted: a stop waits for no program. */
async function askInTime(
  plugin: Pick<SignalPlugin, 'hash'>,
  { bytes, signal }: { bytes: Uint8Array; signal: AbortSignal },
): Promise<PluginHash> {
  signal.throwIfAborted()
  const gone = new AbortController()
  const ended = Promise.withResolvers<PluginHash>()
  const stop = () => ended.reject(signal.reason as Error)
  const late = () => ended.resolve({ kind: 'failed', reason: 'timeout' })
  const timer = setTimeout(late, pluginHasherLimits.answerMsMax)
  signal.addEventListener('abort', stop)
  try {
    return await Promise.race([plugin.hash(bytes, gone.signal), ended.promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
    // What still waits for its turn is not asked any more.
    gone.abort()
  }
}

function withAnswer(
  outcome: HashOutcome,
  manifest: SignalTypeManifest,
  answer: PluginHash,
): HashOutcome {
  const { signals, failedPlugins = [] } = outcome
  const { name, version } = manifest
  const add = (said: Omit<OtherSignal, 'type' | 'version'>): HashOutcome => {
    const other: OtherSignal = { type: name as OtherType, version, ...said }
    return { ...outcome, signals: { ...signals, others: [...(signals.others ?? []), other] } }
  }
  switch (answer.kind) {
    case 'value': {
      const { value, quality } = answer
      return add({ value, ...(quality !== undefined && { quality: Math.round(quality) }) })
    }
    case 'none':
      return add({})
    case 'failed':
      // About these bytes, and the same another time.
      if (answer.reason === 'refused' || answer.reason === 'too-large')
        return add({ refused: true })
      return { ...outcome, failedPlugins: [...failedPlugins, name] }
    default:
      return answer satisfies never
  }
}

/** What the rest of the house knows of them. Throws UsageError for one whose values cannot be searched here. */
export function otherTypesOf(manifests: readonly Manifest[]): OtherTypes {
  const signalTypes = manifests.filter((manifest) => manifest.kind === 'signal-type')
  const problems = signalTypes.flatMap(({ name, metric, digits }) => [
    ...(metric.kind === 'compare'
      ? [`plug-in ${name}: metric compare is not searched by the service, only exact and hamming`]
      : []),
    ...(digits > otherDigitsMax
      ? [`plug-in ${name}: the service searches values of ${otherDigitsMax} hex digits at most`]
      : []),
  ])
  if (problems.length > 0)
    throw new UsageError(
      [...problems, 'plugin check and hash --plugin take it; BLOBWATCH_PLUGINS does not'].join(
        '\n',
      ),
    )
  return new Map(signalTypes.map((manifest) => [manifest.name, ruleOf(manifest)]))
}

function ruleOf({ name, version, media, digits, metric }: SignalTypeManifest): OtherRule {
  const kinds: MediaKind[] = [...new Set(media)]
  const radius = metric.kind === 'hamming' ? metric.radius : 0
  return { type: name as OtherType, version, media: kinds, digits, radius }
}
