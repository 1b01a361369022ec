// Follows the firehose while this process leads it; the others wait for the lead.
import { lead } from '../db/lead.ts'
import { ask, callStep } from '../db/client.ts'
import type { Parts } from '../service.ts'
import type { Health } from '../service-health.ts'
import { createFirehose } from '../sources/firehose.ts'
import type { StoredCursor } from '../sources/firehose-options.ts'
import { createTakeIn } from '../steps/take-in.ts'
import { openLeadSession } from './lead-session.ts'

export async function followFirehose(options: {
  parts: Parts
  health: Health
  lockKey: number
  signal: AbortSignal
}): Promise<void> {
  const { parts, health, signal } = options
  const { db, clock, others, telemetry, config } = parts
  if (config.firehose === undefined) return
  const { host } = config.firehose
  const { log } = parts
  let cursor: StoredCursor | undefined

  const firehose = createFirehose({
    url: config.firehose.url,
    host,
    firstStart: config.firehose.start,
    clock,
    log,
    takeIn: createTakeIn({
      db,
      clock,
      others,
      source: 'firehose',
      host,
      onTaken: () => parts.bells.scan.ring(),
    }),
    // The first answer is the one that the lead was taken with: a later leader's epoch must not become ours.
    loadCursor: async () => {
      const taken = cursor
      cursor = undefined
      return taken ?? readCursor()
    },
    ignoredDids: new Set(parts.signer ? [parts.signer.did] : []),
    onIdentity: (did) => parts.resolver.forget(did),
    onSync: async ({ did }) => {
      await callStep(db, 'note_resync_v1', { did, host, now: new Date(clock()) })
    },
    intakeAllowed: () => health.intakeAllowed(),
    metrics: {
      taken: (batch) =>
        telemetry.batchTaken({
          source: 'firehose',
          sightings: batch.sightings,
          undecodable: batch.undecodable,
          gaps: batch.gaps,
          ...(batch.position !== null && { seq: batch.position }),
          ...(batch.eventTimeMs !== null && { lagMs: Math.max(0, clock() - batch.eventTimeMs) }),
        }),
    },
  })

  async function leadCursor(): Promise<StoredCursor> {
    const rows = await callStep<CursorRow[]>(db, 'lead_cursor_v1', {
      source: 'firehose',
      host,
      now: new Date(clock()),
    })
    return toCursor(rows)
  }

  async function readCursor(): Promise<StoredCursor> {
    const rows = await ask(
      'read the cursor',
      db<CursorRow[]>`
        select epoch, position, event_time from cursor where source = 'firehose' and host = ${host}`,
    )
    return toCursor(rows)
  }

  await lead({
    open: () =>
      openLeadSession(parts.database.appAddress, { applicationName: 'blobwatch firehose', log }),
    lockKey: options.lockKey,
    raiseEpoch: async () => {
      cursor = await leadCursor()
      return cursor.epoch
    },
    onLead: async (leadership) => {
      health.leadsFirehose = true
      try {
        await firehose.run(leadership.signal)
      } finally {
        health.leadsFirehose = false
      }
    },
    signal,
    log,
  })
}

type CursorRow = { epoch: number; position: number | null; event_time: Date | null }

function toCursor([row]: readonly CursorRow[]): StoredCursor {
  if (row === undefined) throw new TypeError('the lead made no cursor')
  return {
    position: row.position,
    epoch: row.epoch,
    eventTimeMs: row.event_time?.getTime() ?? null,
  }
}
