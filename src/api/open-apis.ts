// Joins the APIs with what they need of the service, for the listeners.
import type { Parts } from '../service.ts'
import { readKey, tellUsed } from '../cases/api-keys.ts'
import type { OnAppError } from '../http/problem.ts'
import type { Health } from '../service-health.ts'
import { keyAccess } from './access.ts'
import { createHmaApp, hmaRoutes } from './hma/app.ts'
import type { HmaApp } from './hma/app.ts'
import { doorWithKeys, doorWithoutKeys } from './hma/doors.ts'
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

/** What every group of routes may take from. */
export type ApiParts = { parts: Parts; health: Health; onError: OnAppError }

/** Routes that read their body piece by piece, or a large one only when it is their turn. */
const streams = ['/api/v1/match/batch']
const ownBodies = ['/api/v1/hash', ...streams]

export type Apis = AsyncDisposable & {
  v1: ApiApp
  ownBodies: readonly string[]
  streams: readonly string[]
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
  const v1Routes = [
    addHashRoutes,
    addMatchRoutes,
    addActionRoutes,
    addReportRoutes,
    addStatusRoutes,
    addHmaCallback,
  ].map((add) => (app: ApiApp) => add(app, given))
  const v1 = createV1App({ keys, limits, routes: v1Routes, onError })
  const routes = hmaRoutes(parts)
  return {
    ...{ v1, ownBodies, streams },
    hma: createHmaApp({ routes, door: doorWithKeys(keyAccess({ keys, limits })), onError }),
    keylessHma: (principal) =>
      createHmaApp({ routes, door: doorWithoutKeys(parts.config.hma, principal), onError }),
    [Symbol.asyncDispose]: () => keys[Symbol.asyncDispose](),
  }
}
