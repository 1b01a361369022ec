// What waits for a second person: asked for, listed, decided. Each decision is one statement with what it sets going.
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import type { AdmissionResult } from './admission.ts'
import { dropRefusedLines } from './import-steps.ts'
import type { NewSignal } from './new-signal.ts'

export const proposalStates = ['open', 'approved', 'rejected'] as const
export type ProposalState = (typeof proposalStates)[number]

export type ProposalRow = {
  id: number
  kind: 'content.add' | 'import'
  bank: string
  state: ProposalState
  reason: string
  by: string
  at: Date
  /** Set where nobody else was registered: from then on the same person may approve. */
  aloneUntil: Date | null
  decidedBy: string | null
  decidedAt: Date | null
  note: string | null
  signalTypes: string[]
  import: number | null
  source: string | null
  /** Of an import: what would come in, go, and stay. */
  adds: number | null
  deletes: number | null
  unchanged: number | null
  result: AdmissionResult | null
}

/** The admission waits. The same signals for the same bank, while a proposal about them is open, are that proposal. */
export async function proposeContent(
  db: Database,
  input: {
    admission: number
    payload: { signals: NewSignal[]; note?: string; metadata?: object; provenance?: object }
    reason: string
    principal: number
    nowMs: number
  },
): Promise<{ proposal: number; aloneUntil: Date | null }> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<{ proposal: number; alone_until: Date | null }[]>(
    db,
    'propose_content_v1',
    { ...rest, now: new Date(nowMs) },
  )
  if (row === undefined) throw new TypeError('propose_content_v1 answers with one row')
  return { proposal: row.proposal, aloneUntil: row.alone_until }
}

export type Decided = {
  kind: ProposalRow['kind']
  bank: string
  content: number | null
  import: number | null
  secondPerson: boolean
  /** false: it was so already. */
  changed: boolean
}

/** Throws UsageError when it does not exist, was decided otherwise, or is not this person's to approve yet. */
export async function decideProposal(
  db: Database,
  input: { proposal: number; verb: 'approve' | 'reject'; principal: number; nowMs: number },
): Promise<Decided> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<Decided[]>(db, 'decide_proposal_v1', {
    ...rest,
    now: new Date(nowMs),
  })
  if (row === undefined) throw new TypeError('decide_proposal_v1 answers with one row')
  if (input.verb === 'reject' && row.import !== null) await dropRefusedLines(db)
  return row
}

/** Oldest first. Never a signal's value. */
export async function listProposals(
  db: Database,
  options: { state: ProposalState | 'all'; proposal?: number; limit: number; offset: number },
): Promise<ProposalRow[]> {
  return ask(
    'list the proposals',
    db<ProposalRow[]>`
      select r.id, r.kind, b.name as bank, r.state, r.reason, w.name as by, r.at, r.alone_until as "aloneUntil",
        d.name as "decidedBy", r.decided_at as "decidedAt", r.payload->>'note' as note,
        coalesce((select array_agg(distinct s->>'type') from jsonb_array_elements(r.payload->'signals') s), '{}') as "signalTypes",
        i.id as import, i.source, i.adds, i.deletes, i.unchanged, a.result
      from proposal r
      join bank b on b.id = r.bank
      join principal w on w.id = r.principal
      left join principal d on d.id = r.decided_by
      left join admission a on a.id = (r.payload->>'admission')::integer
      left join bank_import i on i.id = (r.payload->>'import')::integer
      where (${options.state} = 'all' or r.state = ${options.state})
        and (${options.proposal ?? null}::integer is null or r.id = ${options.proposal ?? null}::integer)
      order by r.id limit ${options.limit} offset ${options.offset}`,
  )
}
