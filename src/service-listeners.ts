// The listeners: public (webhook, label stream, did.json), private (health, metrics, APIs), and one for HMA's clients where
// the settings name it.
import { hmaPrincipal } from './api/hma/doors.ts'
import { mountHma } from './api/hma/mount.ts'
import { openApis } from './api/open-apis.ts'
import type { Apis } from './api/open-apis.ts'
import { serviceNamed } from './cases/api-keys.ts'
import { createPrivateApp } from './http/private-app.ts'
import { createPublicApp } from './http/public-app.ts'
import { listen } from './http/listener.ts'
import { createReadiness } from './http/readiness.ts'
import { readBytes } from './http/read-bytes.ts'
import { version } from './version.ts'
import type { Parts } from './service.ts'
import type { Health } from './service-health.ts'
import { createTakeIn } from './steps/take-in.ts'
import type { RequestKind } from './telemetry/events.ts'
import { createWebhookApp } from './sources/webhook.ts'
import { addLabelEndpoints } from './xrpc/label-endpoints.ts'
import { createXrpc } from './xrpc/create-xrpc.ts'

/** What a form adds to the picture that it carries. */
const uploadSlackBytes = 1024 * 1024

export async function openListeners(parts: Parts, health: Health) {
  const { config, telemetry } = parts
  await using stack = new AsyncDisposableStack()
  const onError = (error: unknown, requestId: string) =>
    telemetry.failed({ kind: 'http', error, requestId })

  const xrpc = createXrpc({ onError: (error) => telemetry.failed({ kind: 'labels', error }) })
  const endpoints = addLabelEndpoints({
    xrpc,
    store: parts.labels,
    onError: (error) => telemetry.failed({ kind: 'label-stream', error }),
  })
  stack.defer(() => endpoints.close())
  const publicListener = stack.use(
    await listen({
      ...config.publicListener,
      setting: 'BLOBWATCH_PUBLIC_PORT',
      onAnswer: ({ path, status, ms }) =>
        telemetry.requestEnded({ kind: requestKind(path), ms, failed: status >= 500 }),
      hono: createPublicApp({
        version,
        ...(parts.signer && {
          labeler: {
            did: parts.signer.did,
            keyDid: parts.signer.keyDid,
            publicUrl: config.publicUrl ?? 'https://localhost',
          },
        }),
        mounts: webhookMounts(parts, health),
        onError,
      }),
      ...(parts.signer && { xrpc }),
    }),
  )
  const apis = stack.use(openApis({ parts, health, onError }))
  const privateListener = stack.use(
    await listen({
      ...config.privateListener,
      setting: 'BLOBWATCH_PRIVATE_PORT',
      streams: apis.streams,
      onAnswer: ({ path, ms, status }) =>
        telemetry.requestEnded({ kind: requestKind(path), ms, failed: status >= 500 }),
      direct: apis.direct,
      hono: createPrivateApp({
        version,
        bodyBytesMax: config.blobBytesMax + uploadSlackBytes,
        ownBodies: apis.ownBodies,
        mounts: [
          { path: '/api/v1', app: apis.v1 },
          { path: '/', app: mountHma(apis.hma) },
        ],
        readiness: createReadiness({ checks: health.checks, clock: parts.clock }),
        metrics: async () => {
          telemetry.measured({ blobwatch_label_subscribers: endpoints.subscribers() })
          return parts.metrics.page()
        },
        onError,
      }),
    }),
  )
  const hmaListener = await openHma(parts, apis)
  if (hmaListener !== undefined) stack.use(hmaListener)
  stack.defer(() => apis.endStreams())
  const kept = stack.move()
  return {
    publicUrl: publicListener.url,
    privateUrl: privateListener.url,
    hmaUrl: hmaListener?.url,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

async function openHma({ config, db, clock, telemetry }: Parts, apis: Apis) {
  const { listener } = config.hma
  if (listener === undefined) return undefined
  const principal = await serviceNamed(db, hmaPrincipal, clock())
  return listen({
    ...listener,
    setting: 'socket' in listener ? 'BLOBWATCH_HMA_SOCKET' : 'BLOBWATCH_HMA_PORT',
    onAnswer: ({ ms, status }) =>
      telemetry.requestEnded({ kind: 'api', ms, failed: status >= 500 }),
    hono: apis.keylessHma(principal),
  })
}

function requestKind(path: string): RequestKind {
  if (path.startsWith('/api/v1/webhook/')) return 'webhook'
  if (path.startsWith('/api/v1/hash')) return 'hash'
  if (path.startsWith('/api/v1/match')) return 'match'
  return path.startsWith('/xrpc/com.atproto.label.') ? 'labels' : 'api'
}

function webhookMounts(parts: Parts, health: Health) {
  const { config, telemetry } = parts
  if (config.webhookSecrets.length === 0) return []
  const takeIn = createTakeIn({
    db: parts.db,
    clock: parts.clock,
    others: parts.others,
    source: 'webhook',
    host: 'atproto-callback',
    onTaken: (taken, batch) => {
      parts.bells.scan.ring()
      parts.bells.url.ring()
      telemetry.batchTaken({
        source: 'webhook',
        sightings: taken.sightings + batch.urls.length,
        undecodable: 0,
        gaps: 0,
      })
    },
  })
  const app = createWebhookApp({
    readBody: readBytes,
    secrets: config.webhookSecrets,
    takeIn,
    clock: parts.clock,
    intakeAllowed: () => health.intakeAllowed(),
  })
  return [{ path: '/', app }]
}
