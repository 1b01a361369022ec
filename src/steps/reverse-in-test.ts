// A reversal in a test: asked for, run, and read again.
import { reversalActions } from '../cases/reversal.ts'
import { reversalStates } from '../cases/reversal.ts'
import { alice, createWorld } from '../testing/world.ts'
import type { World } from '../testing/world.ts'
import { previewReversal, runReversal, startReversal } from './reverse.ts'
import type { ReversalRun, ReversalScope } from './reverse.ts'
import { decideCase, principalId } from './withdraw.ts'
import type { CaseVerb } from './withdraw.ts'

export const minute = 60_000

export type Asked = {
  disables?: boolean
  batch?: number
  principal?: number
  onBatch?: () => Promise<void>
}

export async function reverse(world: World, scope: Partial<ReversalScope>, asked: Asked = {}) {
  const started = await start(world, scope, asked)
  return { ...started, ...(await goOn(world, started.reversal, asked)) }
}

export async function start(world: World, scope: Partial<ReversalScope>, asked: Asked = {}) {
  const { db, principal } = world
  const nowMs = world.clock()
  const whole = { as: { ...(scope as Record<string, number>) }, ...scope }
  const preview = await previewReversal(db, { scope: whole, nowMs, page: 2 })
  const started = await startReversal(db, {
    scope: whole,
    disables: asked.disables ?? false,
    preview,
    principal: asked.principal ?? principal,
    nowMs,
  })
  return { preview, ...started }
}

export async function goOn(
  world: World,
  reversal: number,
  asked: Asked = {},
): Promise<ReversalRun> {
  return runReversal(world.db, {
    reversal,
    disables: asked.disables ?? false,
    principal: asked.principal ?? world.principal,
    clock: world.clock,
    batch: asked.batch ?? 2,
  })
}

export async function decide(world: World, caseNumber: number, verb: CaseVerb, principal?: number) {
  const nowMs = world.clock()
  return decideCase(world.db, { caseNumber, verb, principal: principal ?? world.principal, nowMs })
}

/** The actions as they are: what, whose undo, how far. */
export async function actions(world: World): Promise<string[]> {
  const rows = await world.db<{ kind: string; state: string; applied: boolean }[]>`
    select kind, state, applied from action order by id`
  return rows.map((row) => `${row.applied ? '' : 'undo '}${row.kind} ${row.state}`)
}

/** How the actions of a reversal stand now, and which banks keep them. */
export async function stands(world: World, reversal: number): Promise<string[]> {
  const now = new Date(world.clock())
  const all = { reversal, states: reversalStates, now, limit: 100, offset: 0 }
  const rows = await reversalActions(world.db, all)
  return rows.map((row) => [row.kind, row.state, ...row.banks].join(' '))
}

/** A bank that acts, one content, and its picture in a post of each account. */
export async function acted(t: Parameters<typeof createWorld>[0], dids: string[] = [alice]) {
  const world = await createWorld(t)
  await world.bank('BAD')
  const content = await world.content('BAD', 'one')
  await world.sight(dids.map((did) => ({ did, bytes: 'one', rkey: 'a' })))
  await world.settle()
  return { world, content }
}

/** Makes the content somebody else's: added, and brought to its admission test, by them. */
export async function addedBy(world: World, content: number, name: string): Promise<number> {
  const { db, database } = world
  const id = await principalId(db, { kind: 'person', name, nowMs: world.clock() })
  await database.owner`
    update bank_change set principal = ${id}
    where generation in (select added_generation from bank_signal where content = ${content})`
  await database.owner`update admission set principal = ${id} where content = ${content}`
  return id
}
