// The one composition root: every collaborator is made and joined here, in plain sight, and nowhere else.
//
// Promises: build() makes and checks, start() runs, disposing stops within ten seconds; what was half-way is taken up by
// the next start. Tests hand in overrides. A crash at any place leaves only leases, which run out.
import { readFileSync } from 'node:fs'
import { createPdsTakedown } from './actions/pds-takedown.ts'
import { createBlobFetcher } from './blobs/fetch-blob.ts'
import { createRecordReader } from './blobs/fetch-record.ts'
import { createHostClient } from './blobs/host-client.ts'
import { createHostResolver } from './blobs/host-resolver.ts'
import { verifyRecordCarries } from './blobs/record-proof.ts'
import type { Config } from './config.ts'
import { actionKinds } from './domain/bank.ts'
import { createLabelSigner } from './labeler/sign-label.ts'
import { createPostgresLabelStore } from './labeler/postgres-label-store.ts'
import { createBell } from './queue/bell.ts'
import { ensureKeySet } from './roles/key-set.ts'
import { openListeners } from './service-listeners.ts'
import { openDatabase } from './service-database.ts'
import { joinDeployment } from './service-identity.ts'
import { createHealth } from './service-health.ts'
import { openBankBook } from './service-index.ts'
import { openLedgerParts } from './service-ledger.ts'
import { openExchangeApis } from './service-exchanges.ts'
import { openPluginParts, openPlugins } from './service-plugins.ts'
import { openVault } from './service-vault.ts'
import { startRoles } from './service-roles.ts'
import { principalId } from './steps/withdraw.ts'
import { Decoder } from './signals/decoder.ts'
import { createHasher } from './signals/hasher.ts'
import { carriesBlob } from './sources/blob-walker.ts'
import { createTelemetry } from './telemetry/events.ts'
import { createPluginHasher } from './plugins/plugin-hasher.ts'
import { readManifests } from './plugins/read-manifests.ts'
import type { Log } from './telemetry/log.ts'
import { createMetrics } from './telemetry/metrics.ts'

export type ServiceOverrides = {
  /** In place of the database's. */
  clock?: () => number
  random?: () => number
  /** The embedded Postgres does not wait for the disk: for tests and the demo. */
  fastDatabase?: boolean
}

export type Parts = Awaited<ReturnType<typeof makeParts>>

/** `hmaUrl`: of the listener without keys, where there is one. */
export type ServiceUrls = { publicUrl: string; privateUrl: string; hmaUrl: string | undefined }

export type Service = AsyncDisposable & {
  parts: Parts
  /** Opens the listeners and starts the loops. */
  start(): Promise<ServiceUrls>
  /** Settles when a part failed for good; rejects with what failed. The process should then stop. */
  failed: Promise<never>
}

export async function build(
  config: Config,
  options: { log: Log } & ServiceOverrides,
): Promise<Service> {
  await using stack = new AsyncDisposableStack()
  const parts = await makeParts(config, options, stack)
  const failure = Promise.withResolvers<never>()
  // Nobody may be listening yet; whoever awaits `failed` still hears of it.
  failure.promise.catch(() => undefined)
  parts.database.lost?.addEventListener('abort', () => failure.reject(parts.database.lost?.reason))
  const kept = stack.move()
  return {
    parts,
    failed: failure.promise,
    async start() {
      const health = createHealth(parts)
      kept.use(startRoles(parts, { health, onFatal: (error) => failure.reject(error) }))
      const listeners = kept.use(await openListeners(parts, health))
      const { publicUrl, privateUrl, hmaUrl } = listeners
      return { publicUrl, privateUrl, hmaUrl }
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

async function makeParts(
  config: Config,
  options: { log: Log } & ServiceOverrides,
  stack: AsyncDisposableStack,
) {
  const { log } = options
  // For what only measures how long ago something was, in this process.
  const sinceStart = options.clock ?? (() => performance.now())
  const metrics = createMetrics({ clock: sinceStart, processMetrics: true })
  const telemetry = createTelemetry({ log, metrics })
  const manifests = readManifests(config.plugins, (path) => readFileSync(path, 'utf8'))
  let walls: ReturnType<typeof openPluginParts> | undefined
  const openParts = () =>
    (walls ??= openPluginParts({
      clock: sinceStart,
      warn: (message) => log.warn(message, { component: 'plugin' }),
    }))
  const { others, plugins } = stack.use(await openPlugins(manifests, openParts))
  const database = stack.use(
    await openDatabase(config, {
      log,
      connectionsMax: config.scanSlots + 8,
      fast: options.fastDatabase ?? false,
      upkeep: true,
    }),
  )
  const db = database.app
  const clock = options.clock ?? database.clock.now
  const identity = await joinDeployment(db, config, clock())
  if (database.isEmbedded)
    await ensureKeySet({
      db,
      address: database.appAddress,
      dataDir: config.dataDir,
      dataKey: identity.dataKey,
      principal: await principalId(db, { kind: 'system', name: 'blobwatch', nowMs: clock() }),
      nowMs: clock(),
      log,
    })

  const { book, layout } = await openBankBook({
    db,
    others,
    config,
    clock,
    log,
    onRebuildFailed: (error) => telemetry.failed({ kind: 'match', error }),
  })
  const bankBook = stack.use(book)

  const decoder = stack.use(
    await Decoder.start({
      slots: config.decoderSlots,
      warn: (message) => log.warn(message, { component: 'decoder' }),
      onLost: (reason) => telemetry.decoderRestarted({ reason }),
    }),
  )
  const resolver = createHostResolver({ plcUrl: config.plcUrl, clock })
  const client = createHostClient({
    clock,
    pair: config.pds && { url: config.pds.url, address: config.pds.address },
    limits: {
      blobBytesMax: config.blobBytesMax,
      trustedRequestsPerSecond: config.pdsRequestsPerSecond,
    },
  })
  const signer = config.labeler && (await createLabelSigner(config.labeler))
  return {
    config,
    log,
    clock,
    random: options.random ?? Math.random,
    metrics,
    telemetry,
    database,
    db,
    identity,
    ledger: await openLedgerParts(config, { db, log: identity.log, nowMs: clock }),
    matcher: bankBook.matcher,
    bankBook,
    indexLayout: layout,
    decoder,
    hasher: createPluginHasher({
      hasher: createHasher({ decoder }),
      plugins,
      onFailed: (failure) => telemetry.pluginFailed(failure),
    }),
    manifests,
    others,
    plugins,
    resolver,
    fetcher: createBlobFetcher({ resolver, clock, client }),
    prove: (place: Parameters<Prove>[0]) =>
      verifyRecordCarries({ ...place, resolver, client, carries: carriesBlob }),
    signer,
    vault: config.evidence && openVault(config.evidence),
    exchangeApis: await openExchangeApis(manifests, openParts),
    readRecord: createRecordReader({ resolver, client }),
    labels: createPostgresLabelStore({
      database: db,
      onError: (error) => telemetry.failed({ kind: 'label-stream', error }),
    }),
    takedowns:
      config.pds?.adminPassword === undefined
        ? undefined
        : createPdsTakedown({ pair: config.pds, adminPassword: config.pds.adminPassword }),
    // Without a key or a password an action stays released and waits; `hold list` and doctor say why.
    actionKinds: actionKinds.filter((kind) => (kind === 'label' ? signer !== undefined : true)),
    bells: {
      scan: createBell(),
      ledger: createBell(),
      act: createBell(),
      url: createBell(),
      rematch: createBell(),
      exchange: createBell(),
    },
  }
}

type Prove = (
  place: Omit<Parameters<typeof verifyRecordCarries>[0], 'resolver' | 'client' | 'carries'>,
) => ReturnType<typeof verifyRecordCarries>
