// Is the ledger signed, and does anybody outside hold what was signed?
import { readHead } from '../../ledger/read-ledger.ts'
import type { OpenDatabase } from '../../service-database.ts'
import { newestCheckpoint } from '../../steps/checkpoints.ts'
import { count } from '../output.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { inDatabase, note, ok, skip, warn } from './check.ts'

export const checkpointAges = {
  /** Promised while the log moves. */
  signedMsMax: 60_000,
  /** A witness that was away for so long leaves a long end that only we vouch for. */
  anchoredMsMax: 24 * 3600_000,
} as const

export const checkpointChecks: Check[] = [
  { id: 'ledger-signed', group: 'ledger', run: inDatabase(signed) },
  { id: 'ledger-anchored', group: 'ledger', run: inDatabase(anchored) },
]

async function signed({ app }: OpenDatabase, { nowMs }: DoctorContext): Promise<Finding> {
  const head = await readHead(app)
  if (head === undefined) return skip('no ledger yet')
  const newest = await newestCheckpoint(app, { origin: head.log })
  const unsigned = head.size - (newest?.size ?? 0)
  if (unsigned === 0) return ok(`all ${count(head.size, 'entry', 'entries')} are signed`)
  const line = `${count(unsigned, 'entry', 'entries')} of ${head.size} not signed yet`
  const sinceMs = nowMs - (newest?.at ?? head.at ?? new Date(nowMs)).getTime()
  return sinceMs > checkpointAges.signedMsMax &&
    nowMs - (head.at?.getTime() ?? nowMs) > checkpointAges.signedMsMax
    ? warn(
        `${line}, the newest since ${minutes(sinceMs)}`,
        'is the service running, and its signer? docs/operating/witnesses.md',
      )
    : ok(line)
}

async function anchored({ app }: OpenDatabase, { config, nowMs }: DoctorContext): Promise<Finding> {
  const head = await readHead(app)
  if (head === undefined) return skip('no ledger yet')
  const { policy, record, tsaUrl } = config.ledger
  if ((policy?.witnesses.length ?? 0) === 0 && record === undefined && tsaUrl === undefined)
    return note(
      'nobody outside holds a head of the ledger: whoever has the database and the key can write it anew',
      'docs/operating/witnesses.md',
    )
  const newest = await newestCheckpoint(app, { origin: head.log, anchored: true })
  if (newest === undefined)
    return warn(
      'no checkpoint is anchored yet',
      'is the service running? docs/operating/witnesses.md',
    )
  const ageMs = nowMs - newest.at.getTime()
  const line = `${newest.size} of ${count(head.size, 'entry', 'entries')} anchored outside, ${minutes(ageMs)} ago`
  return newest.size < head.size && ageMs > checkpointAges.anchoredMsMax
    ? warn(line, 'are the witnesses there? docs/operating/witnesses.md')
    : ok(line)
}

function minutes(ms: number): string {
  return `${Math.round(ms / 60_000)} min`
}
