// What the database says of evidence: words and numbers, never a byte of it.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export const evidenceStates = ['kept', 'sealed', 'destroyed'] as const
export type EvidenceState = (typeof evidenceStates)[number]

export type EvidenceRow = {
  id: number
  caseNumber: number
  caseState: string | null
  state: EvidenceState
  /** Undefined in a row whose account was erased. */
  did: string | null
  /** sha2-256 digest, hex. */
  cid: string
  facts: Record<string, unknown>
  keptAt: Date
  workingUntil: Date
  sealedUntil: Date
  workingGoneAt: Date | null
  destroyedAt: Date | null
  reason: string | null
  /** A destruction that was begun and not ended. */
  going: 'working' | 'both' | null
  held: boolean
  sealedBytes: number
}

export type EvidenceFilter = {
  state: EvidenceState | 'all' | 'there'
  caseNumber?: number
  id?: number
}

/** Newest first. */
export async function listEvidence(
  db: Database,
  options: EvidenceFilter & { limit: number; offset: number },
): Promise<EvidenceRow[]> {
  const { state, caseNumber = null, id = null } = options
  return ask(
    'list the evidence',
    db<EvidenceRow[]>`
      select e.id, evidence_case(e) as "caseNumber", c.state as "caseState", e.state, a.did, encode(e.blob_cid, 'hex') as cid,
        e.facts, e.kept_at as "keptAt", e.working_until as "workingUntil", evidence_sealed_until(e) as "sealedUntil",
        e.working_gone_at as "workingGoneAt", e.destroyed_at as "destroyedAt", e.reason, e.going,
        evidence_held(e) as held, e.sealed_bytes as "sealedBytes"
      from evidence e
      left join account a on a.id = e.account
      left join case_file c on c.id = evidence_case(e)
      where (${state} = 'all' or e.state = ${state} or ${state} = 'there' and e.state <> 'destroyed')
        and (${id}::bigint is null or e.id = ${id}::bigint)
        and (${caseNumber}::integer is null or evidence_case(e) = ${caseNumber}::integer)
      order by e.id desc limit ${options.limit} offset ${options.offset}`,
  )
}

export type EvidenceObjects = {
  id: number
  state: EvidenceState
  going: 'working' | 'both' | null
  sealed: { object: string; bytes: number; sha256: string }
  working: { object: string; bytes: number; sha256: string }
}

/** After `after`, in order: where the copies lie and what they have to be. */
export async function evidenceObjects(
  db: Database,
  options: { after: number; limit: number; id?: number },
): Promise<EvidenceObjects[]> {
  return ask(
    'read where evidence lies',
    db<EvidenceObjects[]>`
      select id, state, going,
        jsonb_build_object('object', sealed_object, 'bytes', sealed_bytes, 'sha256', encode(sealed_sha256, 'hex')) as sealed,
        jsonb_build_object('object', working_object, 'bytes', working_bytes, 'sha256', encode(working_sha256, 'hex')) as working
      from evidence
      where id > ${options.after} and (${options.id ?? null}::bigint is null or id = ${options.id ?? null}::bigint)
      order by id limit ${options.limit}`,
  )
}

export type DestroyRequest = {
  request: number
  evidence: number
  caseNumber: number
  by: string
  at: Date
  state: 'open' | 'approved' | 'rejected'
  decidedBy: string | null
  decidedAt: Date | null
}

export async function destroyRequests(
  db: Database,
  options: {
    state: DestroyRequest['state'] | 'all'
    evidence?: number
    limit: number
    offset: number
  },
): Promise<DestroyRequest[]> {
  const { evidence = null } = options
  return ask(
    'list the requests to destroy',
    db<DestroyRequest[]>`
      select r.id as request, r.evidence, evidence_case(e) as "caseNumber", w.name as by, r.at, r.state,
        d.name as "decidedBy", r.decided_at as "decidedAt"
      from evidence_request r
      join evidence e on e.id = r.evidence
      join principal w on w.id = r.principal
      left join principal d on d.id = r.decided_by
      where (${options.state} = 'all' or r.state = ${options.state})
        and (${evidence}::bigint is null or r.evidence = ${evidence}::bigint)
      order by r.id limit ${options.limit} offset ${options.offset}`,
  )
}

export type EvidenceLevels = { kept: number; sealed: number; overdue: number; waiting: number }

/** overdue: a copy that should have gone more than an hour ago, and no legal hold keeps. waiting: for evidence, now. */
export async function evidenceLevels(db: Database, nowMs: number): Promise<EvidenceLevels> {
  const hourAgo = new Date(nowMs - 3600 * 1000)
  const [row] = await ask(
    'measure the evidence',
    db<EvidenceLevels[]>`
      select count(*) filter (where e.state = 'kept') as kept, count(*) filter (where e.state = 'sealed') as sealed,
        count(*) filter (where not evidence_held(e) and (e.going_at < ${hourAgo}
          or e.state = 'kept' and e.working_until < ${hourAgo}
          or e.sealed_until < ${hourAgo} and evidence_sealed_until(e) < ${hourAgo})) as overdue,
        (select count(*) from evidence_wait) as waiting
      from evidence e where e.state <> 'destroyed'`,
  )
  return row ?? { kept: 0, sealed: 0, overdue: 0, waiting: 0 }
}
