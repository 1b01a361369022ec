// An exchange of others: what changed at a programme since a checkpoint.
import { z } from 'zod'
import type { ExchangeClient, ExchangeSetup, ExchangeUpdate } from '../domain/ports.ts'
import type { ExchangeManifest } from './manifest.ts'
import { createPluginHost } from './plugin-host.ts'
import type { PluginHost, PluginParts } from './plugin-host.ts'
import type { PluginFailure } from './plugin-process.ts'

export const exchangeLimits = {
  answerBytesMax: 8 * 1024 * 1024,
  updatesMax: 5000,
  signalsMax: 64,
  checkpointCharsMax: 4096,
} as const

const { updatesMax, signalsMax, checkpointCharsMax } = exchangeLimits
/** Postgres holds neither a NUL nor half a character: kept or not, they would come again for ever. */
const text = (charsMax: number) =>
  z
    .string()
    .max(charsMax)
    .refine((value) => value.isWellFormed() && !value.includes('\0'))
const upstreamId = text(512).min(1)

const answer = z.object({
  updates: z
    .array(
      z.discriminatedUnion('op', [
        z.strictObject({
          op: z.literal('put'),
          id: upstreamId,
          signals: z
            .array(
              z.strictObject({
                type: z.string().regex(/^[a-z][a-z0-9_]{1,31}$/),
                value: z
                  .string()
                  .regex(/^[0-9a-f]+$/)
                  .max(2048),
              }),
            )
            .min(1)
            .max(signalsMax),
          tags: z.array(text(128)).max(32).default([]),
        }),
        z.strictObject({ op: z.literal('delete'), id: upstreamId }),
      ]),
    )
    .max(updatesMax),
  checkpoint: text(checkpointCharsMax),
  more: z.boolean(),
})

export type PluginFetch =
  /** `checkpoint` goes with what these updates became, in one step. `more`: ask again at once. */
  | { kind: 'updates'; updates: ExchangeUpdate[]; checkpoint: string; more: boolean }
  | { kind: 'failed'; reason: PluginFailure }

export type ExchangePlugin = AsyncDisposable & {
  manifest: ExchangeManifest
  /** Asked twice with one checkpoint it gives the same changes or later ones. undefined: from the beginning. */
  fetch(checkpoint: string | undefined): Promise<PluginFetch>
  host: Pick<PluginHost, 'lastWords' | 'starts'>
}

export function openExchangePlugin(
  manifest: ExchangeManifest,
  parts: PluginParts,
  setup?: ExchangeSetup,
): ExchangePlugin {
  const config = { ...manifest.config, ...setup?.config }
  const credentials = setup?.credentials
  const host = createPluginHost(manifest, parts, { config, ...(credentials && { credentials }) })
  return {
    manifest,
    host,
    async fetch(checkpoint) {
      return await host.ask(
        {
          op: 'fetch',
          fields: { checkpoint: checkpoint ?? null },
          answerBytesMax: exchangeLimits.answerBytesMax,
        },
        (line) => parseFetch(line, checkpoint),
      )
    },
    [Symbol.asyncDispose]: () => host[Symbol.asyncDispose](),
  }
}

/**
 * The plug-in as a client of one exchange, in a process of its own. The exchange's configuration comes over the manifest's;
 * a checkpoint that another client left is handed over as JSON text.
 */
export function pluginClient(
  manifest: ExchangeManifest,
  setup: ExchangeSetup,
  parts: PluginParts,
): ExchangeClient {
  const plugin = openExchangePlugin(manifest, parts, setup)
  return {
    async fetch(checkpoint, signal) {
      const stopped = Promise.withResolvers<void>()
      const stop = () => stopped.resolve(plugin[Symbol.asyncDispose]())
      signal.addEventListener('abort', stop, { once: true })
      if (signal.aborted) stop()
      const known = typeof checkpoint === 'string' ? checkpoint : JSON.stringify(checkpoint)
      const fetched = await plugin.fetch(known)
      signal.removeEventListener('abort', stop)
      if (signal.aborted) await stopped.promise
      return fetched
    },
    [Symbol.asyncDispose]: () => plugin[Symbol.asyncDispose](),
  }
}

function parseFetch(
  line: Record<string, unknown>,
  checkpoint: string | undefined,
): PluginFetch | undefined {
  const parsed = answer.safeParse(line)
  if (!parsed.success) return undefined
  // With the same checkpoint it would be asked the same for ever.
  if (parsed.data.more && parsed.data.checkpoint === checkpoint) return undefined
  return { kind: 'updates', ...parsed.data }
}
