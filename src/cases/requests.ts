// What became of an action that a program asked for: read from what is known of its places now, so nothing has to follow
// a request while its content is scanned, held, decided and acted on.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { RequestKind } from '../steps/request-action.ts'
import type { CaseState } from './case-list.ts'

/** From what is still to come to what came of it, the strongest first. */
export const requestStates = [
  'accepted',
  'held',
  'acted',
  'failed',
  'released',
  'observed',
  'unscannable',
  'not-matched',
] as const
export type RequestState = (typeof requestStates)[number]

export type PlaceState = {
  /** sha2-256 digest, hex. */
  cid: string
  record: string | null
  state: RequestState
  reason: string | null
  caseNumber: number | null
}

export type RequestFile = {
  kind: RequestKind
  at: Date
  caseNumber: number | null
  caseState: CaseState | null
  body: string
  places: PlaceState[]
}

type PlaceFacts = {
  cid: string
  collection: string | null
  rkey: string | null
  isOpen: boolean
  verdict: string | null
  reason: string | null
  outcome: string | null
  why: string | null
  caseNumber: number | null
  actions: string[] | null
}

/** undefined: this principal asked for nothing under that id, or what it was about is forgotten. */
export async function requestFile(
  db: Database,
  principal: number,
  actionId: string,
): Promise<RequestFile | undefined> {
  const [row] = await ask(
    'find a request',
    db<
      {
        kind: RequestKind
        at: Date
        caseNumber: number | null
        caseState: CaseState | null
        body: string
        places: PlaceFacts[] | null
      }[]
    >`
      select x.kind, x.at, x.case_file as "caseNumber",
        (select c.state from case_file c where c.id = x.case_file) as "caseState", encode(x.body, 'hex') as body, (
        select jsonb_agg(jsonb_build_object(
          'cid', encode(p.blob_cid, 'hex'), 'collection', p.collection, 'rkey', p.rkey,
          'isOpen', exists (select from job j where j.kind = 'scan' and j.key = p.blob_cid),
          'verdict', b.verdict, 'reason', b.reason, 'outcome', d.outcome, 'why', d.reason, 'caseNumber', d.case_file,
          'actions', (
            select jsonb_agg(distinct a.state) from subject s join action a on a.subject = s.id
            where s.account = p.account and a.applied
              and (s.blob_cid = p.blob_cid or (s.kind = 'record' and s.collection = p.collection and s.rkey = p.rkey))
              and not exists (select from action n where n.subject = a.subject and n.kind = a.kind and n.revision > a.revision)))
          order by p.blob_cid, p.collection, p.rkey)
        from api_action_place p
        left join blob b on b.blob_cid = p.blob_cid
        left join lateral (
          select d.outcome, d.reason, d.case_file from decision d
          where d.blob_cid = p.blob_cid and d.account = p.account and d.at >= x.at
            and d.collection is not distinct from p.collection and d.rkey is not distinct from p.rkey
          order by d.id desc limit 1
        ) d on true
        where p.api_action = x.id) as places
      from api_action x where x.principal = ${principal} and x.action_id = ${actionId}`,
  )
  return row && { ...row, places: (row.places ?? []).map(placeState) }
}

/**
 * The state of the whole: what is still to come before what came of it. What was asked of a person is theirs to decide,
 * whatever the scan found.
 */
export function stateOf({
  places,
  caseState,
}: Pick<RequestFile, 'places' | 'caseState'>): RequestState {
  const state = requestStates.find((one) => places.some((place) => place.state === one)) ?? 'failed'
  if (state === 'accepted' || state === 'held' || caseState === null) return state
  if (caseState === 'open') return 'held'
  return caseState === 'released' || caseState === 'overturned' ? 'released' : state
}

function placeState(facts: PlaceFacts): PlaceState {
  const { cid, collection, rkey, caseNumber } = facts
  const record = collection === null || rkey === null ? null : `${collection}/${rkey}`
  const { state, reason } = judge(facts)
  return { cid, record, state, reason, caseNumber }
}

function judge(facts: PlaceFacts): { state: RequestState; reason: string | null } {
  const { outcome, why, verdict, actions, isOpen } = facts
  if (outcome === null) {
    if (isOpen || verdict === null) return { state: 'accepted', reason: null }
    if (verdict === 'unscannable') return { state: 'unscannable', reason: facts.reason }
    return { state: verdict === 'clear' ? 'not-matched' : 'failed', reason: null }
  }
  if (outcome === 'observed' || outcome === 'released') return { state: outcome, reason: why }
  const has = (...states: string[]) => actions?.some((state) => states.includes(state)) === true
  if (has('held')) return { state: 'held', reason: why }
  if (has('planned', 'released', 'sending')) return { state: 'accepted', reason: why }
  if (has('done')) return { state: 'acted', reason: why }
  if (has('superseded')) return { state: 'released', reason: why }
  return { state: outcome === 'held' ? 'held' : 'failed', reason: why }
}
