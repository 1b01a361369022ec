// GET /status and /status/metrics: is it well, and how much does it do.
//
// Promises: no secret, address, bank or count of signals; a part that does not answer in two seconds is not healthy, and
// the answer comes all the same. What matched is told to keys that may ask for matches, not to those that only report.
import { createRoute, z } from '@hono/zod-openapi'
import { modes } from '../../domain/bank.ts'
import { createReadiness } from '../../http/readiness.ts'
import type { CheckResult } from '../../http/readiness.ts'
import type { Decoder } from '../../signals/decoder.ts'
import { requestKinds } from '../../telemetry/events.ts'
import { version } from '../../version.ts'
import { needs } from '../access.ts'
import type { ApiParts } from '../open-apis.ts'
import type { ApiApp } from './app.ts'
import { refusals } from './problem-schema.ts'

const partSchema = z.object({ healthy: z.boolean(), note: z.string().optional() })
const rate = z
  .number()
  .min(0)
  .max(1)
  .nullable()
  .openapi({ description: 'Of the last 5 minutes; null: there was nothing.' })

const statusRoute = createRoute({
  method: 'get',
  path: '/status',
  description: 'Whether every part can work.',
  responses: {
    200: {
      description: 'The state of this process, healthy or not.',
      content: {
        'application/json': {
          schema: z
            .object({
              service: z.literal('blobwatch'),
              version: z.string(),
              healthy: z.boolean(),
              response_time_ms: z.number(),
              components: z.record(z.string(), partSchema),
              config: z.object({
                mode: z.enum(modes),
                pds: z.boolean().openapi({ description: 'A PDS whose admin interface is held.' }),
                firehose: z.boolean(),
                labeler: z.boolean(),
                evidence: z.boolean(),
                webhook: z.boolean(),
                index_layout: z.enum(['memory', 'file']),
                plugins: z.array(z.string()).openapi({ description: 'Signal types of plug-ins.' }),
                blob_bytes_max: z.int(),
              }),
            })
            .openapi('Status'),
        },
      },
    },
    ...refusals(),
  },
})

const metricsRoute = createRoute({
  method: 'get',
  path: '/status/metrics',
  description: 'What this process did since it started. Prometheus has more under /metrics.',
  middleware: [needs('scan', 'match:read', 'act', 'ledger:read')],
  responses: {
    200: {
      description: 'The five figures of the integration guide.',
      content: {
        'application/json': {
          schema: z
            .object({
              request_volume: z.object({
                total: z.int(),
                by_kind: z.record(z.string(), z.int()),
              }),
              match_rate: rate,
              action_rate: rate,
              error_rate: rate,
              response_time: z.record(
                z.string(),
                z.object({
                  count: z.int(),
                  mean_ms: z.number(),
                  p95_ms_max: z.number().nullable(),
                }),
              ),
            })
            .openapi('Metrics'),
        },
      },
    },
    ...refusals(),
  },
})

export function addStatusRoutes(app: ApiApp, { parts, health }: ApiParts): void {
  const { config, clock, metrics } = parts
  const readiness = createReadiness({
    checks: {
      ...health.checks,
      decoder: () => decoderCheck(parts.decoder),
      ...(parts.plugins.length > 0 && { plugins: () => pluginCheck(parts.plugins) }),
    },
    clock,
  })

  app.openapi(statusRoute, async (context) => {
    const startedMs = performance.now()
    const { ready, checks } = await readiness()
    const components = Object.entries(checks).map(
      ([name, { ok, note }]) =>
        [name, { healthy: ok, ...(note !== undefined && { note }) }] as const,
    )
    context.header('cache-control', 'no-store')
    return context.json(
      {
        service: 'blobwatch' as const,
        version,
        healthy: ready,
        response_time_ms: toHundredths(performance.now() - startedMs),
        components: Object.fromEntries(components),
        config: {
          mode: config.mode,
          pds: config.pds?.adminPassword !== undefined,
          firehose: config.firehose !== undefined,
          labeler: config.labeler !== undefined,
          evidence: config.evidence !== undefined,
          webhook: config.webhookSecrets.length > 0,
          index_layout: parts.indexLayout.layout,
          plugins: [...parts.others.keys()],
          blob_bytes_max: config.blobBytesMax,
        },
      },
      200,
    )
  })

  app.openapi(metricsRoute, async (context) => {
    const volume = await metrics.counts('blobwatch_requests_total', 'kind', requestKinds)
    const times = await metrics.times('blobwatch_response_time_seconds', 'kind', requestKinds)
    const { matched, acted, failed } = metrics.shares
    context.header('cache-control', 'no-store')
    return context.json(
      {
        request_volume: {
          total: Object.values(volume).reduce((sum, count) => sum + count, 0),
          by_kind: volume,
        },
        match_rate: matched.value() ?? null,
        action_rate: acted.value() ?? null,
        error_rate: failed.value() ?? null,
        response_time: Object.fromEntries(
          Object.entries(times).map(([kind, { count, seconds, p95Seconds }]) => [
            kind,
            {
              count,
              mean_ms: count === 0 ? 0 : toHundredths((seconds / count) * 1000),
              p95_ms_max: p95Seconds === undefined ? null : p95Seconds * 1000,
            },
          ]),
        ),
      },
      200,
    )
  })
}

const toHundredths = (value: number) => Math.round(value * 100) / 100

/** By their last answers: a question of our own would wait behind those about blobs. */
async function pluginCheck(plugins: ApiParts['parts']['plugins']): Promise<CheckResult> {
  const failed = plugins.flatMap((plugin) => {
    const reason = plugin.illness()
    return reason === undefined ? [] : [`${plugin.manifest.name}: ${reason}`]
  })
  return failed.length === 0 ? { ok: true } : { ok: false, note: failed.join(', ') }
}

/** One white pixel. */
const probe = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==',
  'base64',
)
const probeMs = 5_000

/** A child is only started when there is something to decode: so something is decoded. */
async function decoderCheck(decoder: Decoder): Promise<CheckResult> {
  if (decoder.waiting > 0) return { ok: true, note: 'pictures wait for it' }
  const decoded = await decoder.decode(probe, AbortSignal.timeout(probeMs))
  return decoded.kind === 'failed' ? { ok: false, note: decoded.reason } : { ok: true }
}
