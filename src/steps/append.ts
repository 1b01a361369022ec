// Step append: intake rows become ledger entries, and actions are released. The only place that lets an action go.
//
// Promises: entries, private values, the head and the releases are one statement; the head moves by compare-and-set on
// size and epoch, so of two sequencers one fails; every hash is computed again in the database.
// A crash before it leaves the intake rows; after it, the next sequencer starts from the head.
import type { Hex } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import { crashPoint } from '../telemetry/crash-point.ts'

export type Intake = {
  id: number
  type: string
  actor: Record<string, unknown>
  pub: Record<string, unknown>
  private: Record<string, string>
  account: number | null
  idem: string
  at: Date
}

/** Caps in force, per sliding 24 hours. A cap of 0 stops the kind. */
export type ReleaseLimits = {
  takedownsPerDay: number
  labelsPerDay: number
  /** Automatic actions that one bank content may cause before it is held for a person. */
  actionsPerContent: number
  /** Blobs and accounts that one content may match in ten minutes, or `floodFactor` times its own usual. */
  floodBlobs: number
  floodAccounts: number
  floodFactor: number
}

export type LedgerHead = {
  log: string
  size: number
  /** Leaf hash of the last entry. */
  hash: Hex
  /** The tree's right edge (ledger/tree/frontier.ts); undefined: entries were appended without the tree. */
  frontier: Hex | undefined
  epoch: number
  atMs: number
}

/** Takes the lead: every append with an earlier epoch fails from here on. Makes the log when there is none. */
export async function leadLedger(db: Database, log: string): Promise<LedgerHead> {
  const [head] = await callStep<
    (Omit<LedgerHead, 'atMs' | 'frontier'> & { frontier: Hex | null; at: Date | null })[]
  >(db, 'lead_ledger_v2', { log })
  if (head === undefined) throw new TypeError('lead_ledger_v2 answers with one row')
  const { at, frontier, ...rest } = head
  return { ...rest, frontier: frontier ?? undefined, atMs: at?.getTime() ?? 0 }
}

/** A content that matched more than it may; the case (none: held by an older version) tells the person. */
export type Flood = { content: number; caseNumber: number | null }

/**
 * Holds every content that floods now, and names those held since the last call, by this or by a release, each once.
 * May run beside another's: a content is held once and has one case.
 * A crash before its answer is used loses the telling here; the case stays.
 */
export async function watchFloods(
  db: Database,
  input: { limits: ReleaseLimits; nowMs: number },
): Promise<Flood[]> {
  const rows = await callStep<{ content: number; case_file: number | null }[]>(
    db,
    'watch_floods_v1',
    { limits: input.limits, now: new Date(input.nowMs) },
  )
  return rows.map((row) => ({ content: row.content, caseNumber: row.case_file }))
}

/** The oldest rows that are not entries yet, in the order they were written; without those that are on their way. */
export async function waitingIntake(
  db: Database,
  limit: number,
  without: readonly number[] = [],
): Promise<Intake[]> {
  return ask(
    'read the ledger intake',
    db<Intake[]>`
      select id, type, actor, pub, private, account, idem, at from ledger_intake
      where id <> all (${without.map(String)}::text[]::bigint[])
      order by id limit ${limit}`,
  )
}

export type AppendEntry = {
  intake: number
  /** The entry's exact bytes, which are UTF-8; canonical JSON has no newline. */
  text: string
  hash: Hex
}

/** A personal value behind a commitment of an entry of the batch. */
export type KeptValue = {
  seq: number
  intake: number
  field: string
  account: number | null
  sealed: Hex
}

/** The root of tile(level, index), which a batch made full. */
export type LedgerNode = { level: number; index: number; hash: Hex }

/** Throws FatalError when the head is not where this sequencer left it: somebody else leads, or the log was changed. */
export async function append(
  db: Database,
  input: {
    head: LedgerHead
    entries: AppendEntry[]
    kept: KeptValue[]
    /** Of the tree with these entries. */
    frontier: Hex
    nodes: LedgerNode[]
    limits: ReleaseLimits
    nowMs: number
  },
): Promise<{ size: number; released: number }> {
  const { head, entries, kept, frontier } = input
  if (entries.length > 0) crashPoint('append:before')
  const last = entries.at(-1)
  const [row] = await callStep<{ size: number; released: number }[]>(
    db,
    'append_v2',
    {
      now: new Date(input.nowMs),
      expectSize: head.size,
      epoch: head.epoch,
      limits: input.limits,
      intake: entries.map((entry) => entry.intake).join(','),
      frontier,
      nodes: asRows(input.nodes),
      ...(last !== undefined && { hash: last.hash }),
    },
    [entries.map((entry) => entry.text).join('\n'), kept.map(keptLine).join('\n')],
  )
  if (entries.length > 0) crashPoint('append:after')
  if (row === undefined) throw new TypeError('append_v2 answers with one row')
  return row
}

/** The tree of entries that were appended without it, a piece at a time; the last piece brings the frontier. */
export async function putTree(
  db: Database,
  input: { head: LedgerHead; nodes: LedgerNode[]; frontier?: Hex },
): Promise<void> {
  await callStep(db, 'put_ledger_tree_v1', {
    expectSize: input.head.size,
    epoch: input.head.epoch,
    nodes: asRows(input.nodes),
    ...(input.frontier !== undefined && { frontier: input.frontier }),
  })
}

function keptLine({ seq, intake, field, account, sealed }: KeptValue): string {
  if (/[\t\n]/.test(field)) throw new TypeError('a field of ours has no tab and no newline')
  return `${seq}\t${intake}\t${field}\t${account ?? ''}\t${sealed}`
}

function asRows(nodes: readonly LedgerNode[]): [number, number, Hex][] {
  return nodes.map(({ level, index, hash }) => [level, index, hash])
}
