// The ledger's leader: vets the ledger, appends to it, signs it. One process at a time; a fault stops appending and so
// every action, and readiness says why. Ingest goes on (DATA rule 11).
import type { Config } from './config.ts'
import type { Database } from './db/client.ts'
import { lead } from './db/lead.ts'
import { sqlState } from './db/failure.ts'
import { FatalError, RetryableError, errorMessage } from './domain/errors.ts'
import type { Anchor } from './ledger/anchor/anchor.ts'
import { createAnchors } from './ledger/anchor/create-anchors.ts'
import { baseLogName } from './ledger/log-name.ts'
import { readHead } from './ledger/read-ledger.ts'
import { createSequencer } from './ledger/sequencer.ts'
import { openSigner } from './ledger/signer/open-signer.ts'
import type { LedgerSigner } from './ledger/signer/signer.ts'
import { sleep } from './queue/run-loop.ts'
import { checkpointLimits, keepCheckpoints } from './roles/checkpoint.ts'
import { openLeadSession } from './roles/lead-session.ts'
import { LedgerRefusedError, vetLedger } from './roles/vet-ledger.ts'
import { lockKeys } from './service-locks.ts'
import type { Health } from './service-health.ts'
import type { Parts } from './service.ts'
import { leadLedger } from './steps/append.ts'
import type { LedgerHead } from './steps/append.ts'

/** A refused ledger may be mended by an operator (`ledger recover`) while we run. */
export const refusedAgainMs = 15_000
/** Beyond the next try, which takes as long as a signer and witnesses that do not answer. */
const faultStandsMs = 60_000

export type LedgerParts = { signer: LedgerSigner; anchors: Anchor[] }

/** The name of the ledger that the database holds counts; `log` is that of one which has not begun. */
export async function openLedgerParts(
  config: Config,
  { db, log, nowMs }: { db: Database; log: string; nowMs: () => number },
): Promise<LedgerParts> {
  const begun = await readHead(db)
  const name = baseLogName(begun?.log ?? log)
  const signer = await openSigner({ dataDir: config.dataDir, ...config.ledger }, name)
  const verifierKey = (origin: string) => signer.verifierKey(origin)
  return { signer, anchors: createAnchors(config.ledger, { verifierKey, nowMs }) }
}

type Context = { parts: Parts; health: Health; stop: AbortSignal }

/** Until `stop` aborts, or a fault that only a person can judge. */
export async function leadTheLedger({ parts, health, stop }: Context): Promise<void> {
  while (!stop.aborted) {
    try {
      await contend({ parts, health, stop })
      return
    } catch (error) {
      const again = error instanceof LedgerRefusedError
      health.ledgerFault = {
        reason: error instanceof FatalError ? errorMessage(error) : 'an unexpected error',
        untilMs: again ? parts.clock() + faultStandsMs : Infinity,
      }
      parts.telemetry.failed({ kind: 'ledger', error })
      if (!again) return
      await sleep(refusedAgainMs, stop)
    }
  }
}

async function contend({ parts, health, stop }: Context): Promise<void> {
  let head: LedgerHead | undefined
  await lead({
    open: () =>
      openLeadSession(parts.database.appAddress, {
        applicationName: 'blobwatch ledger',
        log: parts.log,
      }),
    lockKey: lockKeys.ledger,
    againMs: checkpointLimits.againMs,
    raiseEpoch: async () => {
      head = await leadLedger(parts.db, parts.identity.log)
      return head.epoch
    },
    onLead: async ({ signal }) => {
      if (head === undefined) return
      try {
        await leadOnce(head, { parts, health, signal })
      } catch (error) {
        // Fenced: another process has taken the lead in the meantime. It leads; we contend again.
        if (sqlState(error) === 'BW001') return
        if (error instanceof RetryableError && !signal.aborted)
          health.ledgerFault = {
            reason: errorMessage(error),
            untilMs: parts.clock() + faultStandsMs,
          }
        throw error
      } finally {
        health.leadsLedger = false
      }
    },
    signal: stop,
    log: parts.log,
  })
}

/** Appends and signs until the lead ends; when one of the two fails, both end. */
async function leadOnce(
  taken: LedgerHead,
  { parts, health, signal }: { parts: Parts; health: Health; signal: AbortSignal },
): Promise<void> {
  const head = await vetLedger(taken, { ...parts, ...parts.ledger, signal })
  health.ledgerFault = undefined
  health.leadsLedger = true
  const failed = new AbortController()
  const within = AbortSignal.any([signal, failed.signal])
  const work = [appendTo(parts, head, within), signFor(parts, head, within)]
  const ended = await Promise.allSettled(
    work.map(async (one) => {
      try {
        await one
      } catch (error) {
        failed.abort()
        throw error
      }
    }),
  )
  const fault = ended.find((one) => one.status === 'rejected')
  if (fault !== undefined) throw fault.reason
}

function appendTo(parts: Parts, head: LedgerHead, signal: AbortSignal): Promise<void> {
  const sequencer = createSequencer({
    db: parts.db,
    clock: parts.clock,
    dataKey: parts.identity.dataKey,
    limits: parts.config.limits,
    wait: (ms, stop) => parts.bells.ledger.wait(ms, stop),
    onAppended: ({ size, released }) => {
      parts.telemetry.measured({ blobwatch_ledger_entries: size })
      if (released > 0) parts.bells.act.ring()
    },
    onFlood: ({ caseNumber }) =>
      parts.telemetry.contentHeld(caseNumber === null ? {} : { caseNumber }),
  })
  return sequencer.run(head, signal)
}

function signFor(parts: Parts, head: LedgerHead, signal: AbortSignal): Promise<void> {
  return keepCheckpoints(
    head,
    {
      db: parts.db,
      ...parts.ledger,
      policy: parts.config.ledger.policy,
      clock: parts.clock,
      log: parts.log,
      onSigned: ({ size, anchored }) =>
        parts.telemetry.measured({
          blobwatch_ledger_signed_entries: size,
          ...(anchored && { blobwatch_ledger_anchored_entries: size }),
        }),
    },
    signal,
  )
}
