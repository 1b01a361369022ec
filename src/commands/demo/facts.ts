// What Blobwatch knows, asked as an operator asks: by its command line.
import { check, waitFor } from './wait.ts'
import type { World } from './world.ts'

/** The part of `show DID --json` that the demo looks at. */
export type AccountFacts = {
  sightings: { uri: string; cid: string; source: string }[]
  decisions: Decision[]
  actions: Action[]
}
export type Decision = {
  uri: string
  cid: string
  source: string
  bank: string
  type: string
  distance: number
  outcome: string
  reason: string
  caseNumber: number | null
}
export type Action = {
  kind: string
  state: string
  waiting: string | null
  byPerson: boolean
  intentSeq: number | null
}

/** Runs a command that must succeed and answers with one JSON document. */
export async function ask<T>(world: World, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await world.command(...args, '--json')
  check(code === 0, `"blobwatch ${args.join(' ')}" ended with exit code ${code}: ${stderr.trim()}`)
  return JSON.parse(stdout) as T
}

export async function accountFacts(world: World, did: string): Promise<AccountFacts> {
  const facts = await ask<Partial<AccountFacts>>(world, 'show', did)
  return {
    sightings: facts.sightings ?? [],
    decisions: facts.decisions ?? [],
    actions: facts.actions ?? [],
  }
}

/** Waits until the scan of a blob is settled: `clear`, `matched`, or `unscannable` with a reason. */
export async function scanOf(
  world: World,
  cid: string,
): Promise<{ verdict: string; reason: string | null; decisions: number }> {
  return await waitFor(
    'a verdict',
    async () => {
      type Shown = { blob?: { verdict: string; reason: string | null }; decisions?: object[] }
      const { blob, decisions = [] } = await ask<Shown>(world, 'show', cid)
      return blob && { ...blob, decisions: decisions.length }
    },
    world,
  )
}

/** Waits until the one thing that this account posted has its decision. */
export async function decidedFacts(world: World, did: string): Promise<Decided> {
  return await waitFor('a decision', async () => decided(await accountFacts(world, did)), world)
}

/** Waits until nothing of the account is on its way any more. */
export async function finishedFacts(world: World, did: string): Promise<Decided> {
  return await waitFor(
    'the end of every action',
    async () => {
      const facts = await accountFacts(world, did)
      const open = facts.actions.filter(({ state }) => state !== 'done')
      // Told when the wait ends without them.
      if (open.length > 0)
        throw new Error(open.map(({ kind, state }) => `${kind} is ${state}`).join())
      return facts.actions.length > 0 ? decided(facts) : undefined
    },
    world,
  )
}

export type Decided = AccountFacts & { decision: Decision }

function decided(facts: AccountFacts): Decided | undefined {
  const [decision] = facts.decisions
  return decision && { ...facts, decision }
}

export function matchText({ bank, type, distance }: Decision): string {
  return `bank ${bank}, by ${type}, distance ${distance}`
}

/** `takedown-blob, takedown-record, label`, in the order of the policy. */
export function kindsOf(actions: readonly Action[]): string {
  const order = ['takedown-blob', 'takedown-record', 'label']
  return actions
    .map(({ kind }) => kind)
    .toSorted((a, b) => order.indexOf(a) - order.indexOf(b))
    .join(', ')
}
