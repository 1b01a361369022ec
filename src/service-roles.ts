// Starts the loops: follow, scan, act, fetch exchanges, append, keep house. Each is one line of what it needs.
//
// Stopping: nothing new is begun at once; what runs has `graceMs` to finish, then its requests are aborted and its
// leases freed; the ledger appends what that left behind; all of it within ten seconds.
import { runLoop, sleep } from './queue/run-loop.ts'
import type { LoopOptions } from './queue/run-loop.ts'
import { act, claimActWork } from './roles/act.ts'
import { sweepEvidence } from './roles/evidence-clocks.ts'
import { claimUrls, resolveUrl } from './roles/announced-url.ts'
import { claimFetches, fetchExchange } from './roles/fetch-exchanges.ts'
import { followFirehose } from './roles/follow.ts'
import {
  enableAgain,
  houseLimits,
  noteContentHours,
  noteCounts,
  sweepOld,
  trimBlobs,
  workRemovals,
} from './roles/keep-house.ts'
import { keepTime } from './roles/keep-time.ts'
import { measure } from './roles/measure.ts'
import { claimRematch, runRematch } from './roles/rematch.ts'
import { claimScanWork, scan } from './roles/scan.ts'
import { watchBanks } from './roles/watch-banks.ts'
import type { Parts } from './service.ts'
import { ensureRoom } from './service-database.ts'
import { leadTheLedger } from './service-ledger.ts'
import { lockKeys } from './service-locks.ts'
import { dropChanges, numberChanges } from './steps/blob-changes.ts'
import { dropRequests } from './steps/requests.ts'
import { pruneCheckpoints } from './steps/checkpoints.ts'
import { freeBytes } from './service-health.ts'
import type { Health } from './service-health.ts'
import { dropPartitions } from './db/partitions.ts'
import type { WorkKind } from './telemetry/events.ts'

export const roleLimits = {
  idleMs: 100,
  failureMs: 1000,
  graceMs: 4000,
  actSlots: 4,
  urlSlots: 2,
  exchangeSlots: 2,
  minuteMs: 60_000,
  diskMs: 5_000,
} as const

type Context = {
  parts: Parts
  health: Health
  onFatal: (error: unknown) => void
  stop: AbortSignal
  work: AbortSignal
}

export function startRoles(
  parts: Parts,
  options: { health: Health; onFatal: (error: unknown) => void },
): AsyncDisposable {
  const stopping = new AbortController()
  const hurrying = new AbortController()
  const ledgerStopping = new AbortController()
  const context: Context = { parts, ...options, stop: stopping.signal, work: hurrying.signal }

  const workers = [
    watchBankBook(context),
    scanLoop(context),
    urlLoop(context),
    rematchLoop(context),
    actLoop(context),
    exchangeLoop(context),
    follow(context),
    keepHouse(context),
    keepTime({ ...parts, clock: parts.database.clock }, stopping.signal),
    watchDisk(context),
  ]
  const ledger = leadTheLedger({ ...context, stop: ledgerStopping.signal })
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort()
      const grace = setTimeout(() => hurrying.abort(), roleLimits.graceMs)
      await Promise.all(workers)
      clearTimeout(grace)
      // Results of the last actions become entries before the lights go out.
      await sleep(2 * roleLimits.idleMs, new AbortController().signal)
      ledgerStopping.abort()
      await ledger
    },
  }
}

/** The settings that every loop shares; a FatalError ends the process. */
async function loop<Work>(
  { parts, stop, work, onFatal }: Context,
  kind: WorkKind,
  options: Pick<LoopOptions<Work>, 'slots' | 'claim' | 'handle' | 'bell'> & { idleMs?: number },
): Promise<void> {
  try {
    await runLoop(
      {
        idleMs: roleLimits.idleMs,
        failureMs: roleLimits.failureMs,
        workSignal: work,
        onError: (error) => parts.telemetry.failed({ kind, error }),
        ...options,
      },
      stop,
    )
  } catch (error) {
    onFatal(error)
  }
}

function watchBankBook({ parts, stop }: Context): Promise<void> {
  // A pass over stored signals waits for the index to include its change.
  const onChanged = () => parts.bells.rematch.ring()
  return watchBanks({ ...parts, book: parts.bankBook, onChanged }, stop)
}

async function scanLoop(context: Context): Promise<void> {
  const { parts } = context
  const { config } = parts
  const options = {
    ...parts,
    mode: config.mode,
    banks: parts.bankBook.banks,
    administeredPds: config.pds?.url,
    canLabel: parts.signer !== undefined,
    canPreserve: parts.vault !== undefined,
    onSettled: () => parts.bells.ledger.ring(),
  }
  await loop(context, 'settle', {
    slots: config.scanSlots,
    claim: (free) => claimScanWork(options, free),
    handle: (job, signal) => scan(job, options, signal),
    bell: parts.bells.scan,
  })
}

async function urlLoop(context: Context): Promise<void> {
  const { parts } = context
  const options = {
    ...parts,
    onSettled: () => parts.bells.scan.ring(),
    onGivenUp: (reason: string) => parts.log.warn('announced-address-gave-nothing', { reason }),
  }
  await loop(context, 'scan', {
    slots: roleLimits.urlSlots,
    claim: (free) => claimUrls(options, free),
    handle: (job, signal) => resolveUrl(job, options, signal),
    bell: parts.bells.url,
    idleMs: 500,
  })
}

async function rematchLoop(context: Context): Promise<void> {
  const { parts } = context
  const options = {
    ...parts,
    banks: parts.bankBook.banks,
    onRaised: () => parts.bells.scan.ring(),
  }
  await loop(context, 'match', {
    slots: 1,
    claim: () => claimRematch(options),
    handle: (job, signal) => runRematch(job, options, signal),
    bell: parts.bells.rematch,
    idleMs: 500,
  })
}

async function actLoop(context: Context): Promise<void> {
  const { parts } = context
  const options = {
    ...parts,
    kinds: parts.actionKinds,
    sign:
      parts.signer &&
      ((label: Parameters<NonNullable<Parts['signer']>['sign']>[0]) => parts.signer!.sign(label)),
    onFinished: () => parts.bells.ledger.ring(),
  }
  await loop(context, 'action', {
    slots: roleLimits.actSlots,
    claim: (free) => claimActWork(options, free),
    handle: (claimed, signal) => act(claimed, options, signal),
    bell: parts.bells.act,
  })
}

async function exchangeLoop(context: Context): Promise<void> {
  const { parts, health } = context
  const options = {
    ...parts,
    dataKey: parts.identity.dataKey,
    everyMs: parts.config.exchangeMinutes * roleLimits.minuteMs,
    onChanged: () => parts.bells.ledger.ring(),
  }
  await loop(context, 'exchange', {
    slots: roleLimits.exchangeSlots,
    claim: async (free) => (health.intakeAllowed() ? claimFetches(options, free) : []),
    handle: (claimed, signal) => fetchExchange(claimed, options, signal),
    bell: parts.bells.exchange,
    idleMs: 1000,
  })
}

async function follow({ parts, health, stop, onFatal }: Context): Promise<void> {
  try {
    await followFirehose({ parts, health, lockKey: lockKeys.firehose, signal: stop })
  } catch (error) {
    onFatal(error)
  }
}

async function keepHouse({ parts, stop }: Context): Promise<void> {
  const { clock, db } = parts
  const tell = (error: unknown) => parts.telemetry.failed({ kind: 'settle', error })
  let hour = 0
  while (!stop.aborted) {
    const nowMs = clock()
    const isSure = isTimeSure(parts, nowMs)
    await workRemovals(db, nowMs).catch(tell)
    // Nobody may follow them: then this is all that keeps what waits for its number short.
    await numberChanges(db, nowMs).catch(tell)
    await measure(parts).catch(tell)
    const isHour = Math.floor(nowMs / 3_600_000) !== hour
    hour = Math.floor(nowMs / 3_600_000)
    if (isHour) {
      await ensureRoom(parts.database.owner, nowMs).catch(tell)
      await noteCounts(db, nowMs).catch(tell)
      await noteContentHours(db, nowMs).catch(tell)
    }
    if (isSure) {
      await enableAgain(db, nowMs).catch(tell)
      await keepEvidenceClocks(parts, nowMs, stop).catch(tell)
      await dropChanges(db, nowMs).catch(tell)
      await dropRequests(db, nowMs).catch(tell)
      if (isHour) await dropOld(parts, nowMs, tell)
    }
    await sleep(roleLimits.minuteMs, stop)
  }
}

async function dropOld(
  { config, db, database }: Parts,
  nowMs: number,
  tell: (error: unknown) => void,
): Promise<void> {
  const { keepDays } = config
  await dropPartitions({ db: database.owner, table: 'sighting', keepDays, nowMs }).catch(tell)
  await sweepOld(db, nowMs).catch(tell)
  await pruneCheckpoints(db, nowMs).catch(tell)
  await trimBlobs(db, config.blobRowsMax).catch(tell)
}

/**
 * The time comes from the database, whose machine may have woken up in another year. Where this machine's own clock says
 * something else, one of the two is wrong, and nobody may end by it what is kept for a month. The embedded Postgres has
 * no other clock than ours.
 */
function isTimeSure({ log }: Parts, nowMs: number): boolean {
  const ms = Math.abs(Date.now() - nowMs)
  if (ms <= houseLimits.clockOffMs) return true
  log.error(
    'the clocks of this machine and of the database are far apart: nothing ends by its age',
    {
      ms,
    },
  )
  return false
}

async function keepEvidenceClocks(parts: Parts, nowMs: number, signal: AbortSignal): Promise<void> {
  const { db, vault, telemetry } = parts
  if (vault === undefined) return
  const { ended } = await sweepEvidence({
    db,
    store: vault.store,
    nowMs,
    signal,
    onFailed: (error) => telemetry.failed({ kind: 'evidence', error }),
  })
  for (const { basis } of ended) telemetry.evidenceDestroyed({ basis })
  if (ended.length > 0) parts.bells.ledger.ring()
}

async function watchDisk({ parts, health, stop }: Context): Promise<void> {
  const { config, log } = parts
  while (!stop.aborted) {
    const free = await freeBytes(config.dataDir)
    const isLow = free !== undefined && free < config.diskFreeBytesMin
    if (isLow !== health.diskLow) {
      health.diskLow = isLow
      if (isLow)
        log.error('the disk is low: intake is stopped until there is room again', {
          bytes: free ?? 0,
        })
      else log.info('the disk has room again: intake goes on', { bytes: free ?? 0 })
    }
    await sleep(roleLimits.diskMs, stop)
  }
}
