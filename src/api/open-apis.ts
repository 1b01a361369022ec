// Joins the APIs with what they need of the service, for the listeners.
import type { Parts } from '../service.ts'
import { readKey, tellUsed } from '../cases/api-keys.ts'
import type { DirectAnswer } from '../http/listener.ts'
import type { OnAppError } from '../http/problem.ts'
import type { Health } from '../service-health.ts'
import { readBlobStates } from '../cases/blob-states.ts'
import { numberChanges, readChanges } from '../steps/blob-changes.ts'
import { createBlobView } from './blob-view.ts'
import { createDirectBlobs } from './direct-blobs.ts'
import { createChangeFeed } from './change-feed.ts'
import { createKeyRing } from './key-ring.ts'
import { createRateLimits } from './rate-limits.ts'
import { createV1App } from './v1/app.ts'
import type { ApiApp } from './v1/app.ts'
import { addBlobChanges } from './v1/blob-changes.ts'
import { addBlobs } from './v1/blobs.ts'
import { addBanks } from './v1/banks.ts'
import { addCases } from './v1/cases.ts'
import { addExplain } from './v1/explain.ts'
import { addHolds } from './v1/holds.ts'
import { addLedger } from './v1/ledger.ts'
import { createTurns } from './turns.ts'

/** What every group of routes may take from. */
export type ApiParts = { parts: Parts; health: Health; onError: OnAppError }

/** `endStreams`: so that a listener that closes waits for nobody. */
export function openApis(
  given: ApiParts,
): AsyncDisposable & { v1: ApiApp; direct: DirectAnswer; endStreams: () => Promise<void> } {
  const { parts, onError } = given
  const { db, clock } = parts
  const keys = createKeyRing({
    clock,
    read: (id) => readKey(db, id),
    used: (ids, nowMs) => tellUsed(db, ids, nowMs),
    onError: (error) => parts.telemetry.failed({ kind: 'api', error }),
  })
  const limits = createRateLimits({
    clock,
    requestsPerSecond: parts.config.apiRequestsPerSecond,
  })
  const view = createBlobView({ clock, read: (pairs) => readBlobStates(db, pairs) })
  const feed = createChangeFeed({
    clock,
    source: {
      number: () => numberChanges(db, clock()),
      read: (options) => readChanges(db, options),
    },
    onError: (error) => parts.telemetry.failed({ kind: 'api', error }),
  })
  const turns = createTurns()
  const routes = [
    (app: ApiApp) => addBlobChanges(app, { feed }),
    (app: ApiApp) => addBlobs(app, { view }),
    (app: ApiApp) => addCases(app, parts),
    (app: ApiApp) => addBanks(app, { ...parts, turns }),
    (app: ApiApp) => addHolds(app, parts),
    (app: ApiApp) => addLedger(app, parts),
    (app: ApiApp) => addExplain(app, { ...parts, view, turns }),
  ]
  const v1 = createV1App({ keys, limits, routes, onError })
  return {
    v1,
    direct: createDirectBlobs({ keys, limits, view }),
    endStreams: async () => feed[Symbol.asyncDispose](),
    [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose](),
  }
}
