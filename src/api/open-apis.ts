// Joins the APIs with what they need of the service, for the listeners.
import type { Parts } from '../service.ts'
import { readKey, tellUsed } from '../cases/api-keys.ts'
import type { DirectAnswer } from '../http/listener.ts'
import type { OnAppError } from '../http/problem.ts'
import type { Health } from '../service-health.ts'
import { keyAccess } from './access.ts'
import { createHmaApp, hmaRoutes } from './hma/app.ts'
import type { HmaApp } from './hma/app.ts'
import { doorWithKeys, doorWithoutKeys } from './hma/doors.ts'
import { readBlobStates } from '../cases/blob-states.ts'
import { numberChanges, readChanges } from '../steps/blob-changes.ts'
import { createBlobView } from './blob-view.ts'
import { createDirectBlobs } from './direct-blobs.ts'
import { createChangeFeed } from './change-feed.ts'
import { createKeyRing } from './key-ring.ts'
import { createRateLimits } from './rate-limits.ts'
import { addActionRoutes } from './v1/action.ts'
import { createV1App } from './v1/app.ts'
import type { ApiApp } from './v1/app.ts'
import { addHashRoutes } from './v1/hash.ts'
import { addHmaCallback } from './v1/hma-callback.ts'
import { addMatchRoutes } from './v1/match.ts'
import { addReportRoutes } from './v1/report.ts'
import { addStatusRoutes } from './v1/status.ts'
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

/** Routes that read their body piece by piece, or a large one only when it is their turn. */
const streams = ['/api/v1/match/batch']
const ownBodies = ['/api/v1/hash', ...streams]

/** What compares with all that was seen, or with every signal of every bank. */
const heavy = { slots: 1, waitingMax: 8 }

export type Apis = AsyncDisposable & {
  v1: ApiApp
  ownBodies: readonly string[]
  streams: readonly string[]
  direct: DirectAnswer
  /** So that a listener that closes waits for nobody. */
  endStreams: () => Promise<void>
  /** HMA's paths, with keys. */
  hma: HmaApp
  /** The same without keys, in the name of that principal: for a listener of its own. */
  keylessHma: (principal: number) => HmaApp
}

export function openApis(given: ApiParts): Apis {
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
  const turns = createTurns(heavy)
  const v1Routes = [
    ...[
      addHashRoutes,
      addMatchRoutes,
      addActionRoutes,
      addReportRoutes,
      addStatusRoutes,
      addHmaCallback,
    ].map((add) => (app: ApiApp) => add(app, given)),
    (app: ApiApp) => addBlobChanges(app, { feed }),
    (app: ApiApp) => addBlobs(app, { view }),
    (app: ApiApp) => addCases(app, parts),
    (app: ApiApp) => addBanks(app, { ...parts, turns }),
    (app: ApiApp) => addHolds(app, parts),
    (app: ApiApp) => addLedger(app, parts),
    (app: ApiApp) => addExplain(app, { ...parts, view, turns }),
  ]
  const v1 = createV1App({ keys, limits, routes: v1Routes, onError })
  const routes = hmaRoutes(parts)
  return {
    ...{ v1, ownBodies, streams },
    direct: createDirectBlobs({ keys, limits, view }),
    endStreams: async () => feed[Symbol.asyncDispose](),
    hma: createHmaApp({ routes, door: doorWithKeys(keyAccess({ keys, limits })), onError }),
    keylessHma: (principal) =>
      createHmaApp({ routes, door: doorWithoutKeys(parts.config.hma, principal), onError }),
    [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose](),
  }
}
