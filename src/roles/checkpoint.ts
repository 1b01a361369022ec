// Signs the ledger's head while this process leads, and hands it to whoever holds it for others.
//
// Promises: what is signed was read back from storage and hashed again; a checkpoint is at most `everyMs` and one round
// behind while the log moves; the signer gets a proof from what it signed last. FatalError when the storage, the signer or
// an anchor contradicts: the leader stops appending. A signer or anchor that is away is asked again, also
// when the log does not move.
// A crash leaves a head that the signer knows and the database does not: the next leader asks and signs from there.
import { ask } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import { FatalError, RetryableError, errorMessage } from '../domain/errors.ts'
import { msSince } from '../domain/ms-since.ts'
import type { Anchor, AnchorOutcome } from '../ledger/anchor/anchor.ts'
import { sameBytes, toHex } from '../ledger/bytes.ts'
import { formatNote, parseNote, verifyNote } from '../ledger/note/note.ts'
import type { NoteSignature } from '../ledger/note/note.ts'
import type { Policy } from '../ledger/note/policy.ts'
import { readEntries } from '../ledger/read-ledger.ts'
import type { LedgerSigner } from '../ledger/signer/signer.ts'
import { createTileReader } from '../ledger/tile-store.ts'
import { createFrontier } from '../ledger/tree/frontier.ts'
import type { Frontier } from '../ledger/tree/frontier.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import { createProver } from '../ledger/tree/prove.ts'
import { sleep } from '../queue/run-loop.ts'
import { newestCheckpoint, putCheckpoint } from '../steps/checkpoints.ts'
import type { KeptAnchor } from '../steps/checkpoints.ts'
import { crashPoint } from '../telemetry/crash-point.ts'
import type { Log } from '../telemetry/log.ts'

export const checkpointLimits = {
  /** Two rounds and a slow signer stay under the promised 60 seconds. */
  everyMs: 20_000,
  /** After a signer that was away. */
  againMs: 5_000,
  submitMs: 10_000,
} as const

export type CheckpointOptions = {
  db: Database
  signer: LedgerSigner
  anchors: readonly Anchor[]
  policy: Policy | undefined
  clock: () => number
  log: Pick<Log, 'warn' | 'info'>
  onSigned: (signed: { size: number; atMs: number; witnesses: number; anchored: boolean }) => void
}

export type Checkpointer = {
  /** Signs and anchors the head that is stored now, when it is not signed yet. */
  round(signal: AbortSignal): Promise<void>
}

/** Rounds until the signal aborts. `head`: as it was led and vetted. */
export async function keepCheckpoints(
  head: { log: string; epoch: number },
  options: CheckpointOptions,
  signal: AbortSignal,
): Promise<void> {
  const checkpointer = createCheckpointer(head, options)
  while (!signal.aborted) {
    let waitMs: number = checkpointLimits.everyMs
    try {
      await checkpointer.round(signal)
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error
      options.log.warn('no checkpoint was made', { error })
      waitMs = checkpointLimits.againMs
    }
    await sleep(waitMs, signal)
  }
}

export function createCheckpointer(
  head: { log: string; epoch: number },
  options: CheckpointOptions,
): Checkpointer {
  const { db, signer, clock } = options
  const submittedMs = new Map<Anchor, number>()
  /** The tree as read back from storage, up to what was signed. */
  let stored: Frontier | undefined
  /** The newest that was signed and is kept; who has taken it already is not asked again. */
  let current: Kept | undefined

  const sign = async (): Promise<Signed | undefined> => {
    const size = await storedSize(db)
    if (size === current?.size) return undefined
    const old = await signer.head(head.log)
    const newest = await newestCheckpoint(db, { origin: head.log })
    if (old === undefined && newest !== undefined)
      throw new FatalError(
        `the signer has forgotten what it signed of ${head.log}: see ledger signer --adopt`,
      )
    const prover = createProver(createTileReader(db), size)
    if (stored === undefined || stored.size() !== (old?.size ?? 0)) stored = await resume(db, old)
    await readBack(db, stored, size)
    const root = stored.root()
    if (!sameBytes(root, await prover.rootAt(size)))
      throw new FatalError(`the stored tiles of ${size} entries are not those of their bytes`)
    const from = old?.size ?? 0
    const proof = await prover.consistency(from, size)
    const answer = await signer.sign({ origin: head.log, old: from, size, root, proof })
    if (answer.kind === 'refused') {
      // A leader that was paused meets what its successor has signed; then there is nothing wrong with the ledger.
      if (!(await leads(db, head.epoch))) return undefined
      throw new FatalError(`the signer refused: ${answer.reason}`)
    }
    crashPoint('checkpoint:signed')
    return {
      origin: head.log,
      size,
      root,
      // A process before this one may have gathered cosignatures of it.
      note: withSignatures(answer.note, signaturesOf(newest, answer.note)),
      prove: (asked) => prover.consistency(asked, size),
      rootAt: (asked) => prover.rootAt(asked),
    }
  }

  const put = async (kept: Kept, anchors: KeptAnchor[]) => {
    const { origin, size, note } = kept
    const witnesses = cosigners(note, options.policy)
    const hasWitnesses = (options.policy?.witnesses.length ?? 0) > 0
    const anchored = hasWitnesses
      ? options.policy?.isQuorum(witnesses) === true
      : anchors.length > 0
    const nowMs = clock()
    await putCheckpoint(db, {
      epoch: head.epoch,
      origin,
      size,
      note,
      witnesses: witnesses.size,
      anchored,
      anchors,
      nowMs,
    })
    current = kept
    options.onSigned({ size, atMs: nowMs, witnesses: witnesses.size, anchored })
  }

  return {
    async round(signal) {
      const signed = await sign()
      if (signed !== undefined) await put({ ...signed, takenBy: new Set() }, [])
      if (current === undefined) return
      const { takenBy } = current
      const due = options.anchors.filter(
        (anchor) =>
          !takenBy.has(anchor) && msSince(submittedMs.get(anchor) ?? 0, clock()) >= anchor.everyMs,
      )
      if (due.length === 0) return
      const head = current
      const outcomes = await Promise.all(
        due.map(async (anchor) => ({ anchor, outcome: await submit(anchor, head, signal) })),
      )
      const taken = await judge(outcomes, { signed: head, log: options.log, signal })
      if (taken.length === 0) return
      for (const { anchor } of taken) submittedMs.set(anchor, clock())
      const signatures = taken.flatMap(({ outcome }) => outcome.signature ?? [])
      await put(
        {
          ...head,
          note: withSignatures(head.note, signatures),
          takenBy: new Set([...takenBy, ...taken.map(({ anchor }) => anchor)]),
        },
        taken.map(keptOf),
      )
    },
  }
}

type Signed = {
  origin: string
  size: number
  root: Uint8Array
  note: string
  prove: (old: number) => Promise<Uint8Array[]>
  rootAt: (size: number) => Promise<Uint8Array>
}
type Kept = Signed & { takenBy: ReadonlySet<Anchor> }
type Taken = { anchor: Anchor; outcome: Extract<AnchorOutcome, { kind: 'anchored' }> }

/** Where the signer stands; its root must be that of the stored entries (the vetting found it so). */
async function resume(
  db: Database,
  old: { size: number; root: Uint8Array } | undefined,
): Promise<Frontier> {
  if (old === undefined) return createFrontier()
  const prover = createProver(createTileReader(db), old.size)
  const frontier = createFrontier({ size: old.size, bytes: await prover.frontierAt(old.size) })
  if (!sameBytes(frontier.root(), old.root))
    throw new FatalError(`the first ${old.size} entries are not those that were signed`)
  return frontier
}

/** Every byte since the last checkpoint, from storage: what was to be written and what was written are two things. */
async function readBack(db: Database, stored: Frontier, size: number): Promise<void> {
  for await (const page of readEntries(db, { from: stored.size(), to: size })) {
    for (const { seq, bytes, hash } of page) {
      if (seq !== stored.size())
        throw new FatalError(`entry ${stored.size()} of the ledger is missing`)
      const leaf = leafHashOf(bytes)
      if (!sameBytes(leaf, hash))
        throw new FatalError(`the stored bytes of entry ${seq} are not those appended`)
      stored.push(leaf)
    }
  }
  if (stored.size() !== size)
    throw new FatalError(`the ledger ends at ${stored.size()}, its head says ${size}`)
}

async function storedSize(db: Database): Promise<number> {
  const [row] = await ask(
    'read the size of the ledger',
    db<{ size: number }[]>`select size from ledger_head`,
  )
  return row?.size ?? 0
}

async function leads(db: Database, epoch: number): Promise<boolean> {
  const rows = await ask('look who leads', db`select from ledger_head where epoch = ${epoch}`)
  return rows.length > 0
}

async function submit(anchor: Anchor, signed: Signed, signal: AbortSignal): Promise<AnchorOutcome> {
  try {
    const within = AbortSignal.any([signal, AbortSignal.timeout(checkpointLimits.submitMs)])
    return await anchor.submit(signed, within)
  } catch (error) {
    return { kind: 'failed', who: anchor.who, reason: errorMessage(error) }
  }
}

type Judging = { signed: Signed; log: Pick<Log, 'warn'>; signal: AbortSignal }

/** What was taken; throws when somebody proves to hold another ledger of this name. */
async function judge(
  outcomes: readonly { anchor: Anchor; outcome: AnchorOutcome }[],
  judging: Judging,
): Promise<Taken[]> {
  const taken: Taken[] = []
  for (const { anchor, outcome } of outcomes) {
    if (outcome.kind === 'anchored') {
      taken.push({ anchor, outcome })
      continue
    }
    if (outcome.kind === 'conflict') await confirmConflict(anchor, outcome, judging)
    judging.log.warn('an anchor did not take the checkpoint', {
      component: anchor.kind,
      error: new Error(outcome.reason),
    })
  }
  return taken
}

/** Its answer alone may be anybody's on the way: only what it holds under our own signature stops the ledger. */
async function confirmConflict(
  anchor: Anchor,
  outcome: Extract<AnchorOutcome, { kind: 'conflict' }>,
  { signed, signal }: Judging,
): Promise<void> {
  const within = AbortSignal.any([signal, AbortSignal.timeout(checkpointLimits.submitMs)])
  const known = await anchor.newest(signed.origin, within).catch(() => undefined)
  if (known === undefined) return
  const differs =
    known.size <= signed.size &&
    known.root !== undefined &&
    !sameBytes(await signed.rootAt(known.size), known.root)
  if (known.size > signed.size || differs)
    throw new FatalError(
      `${outcome.who} holds ${known.size} entries of this ledger that are not these: ${outcome.reason}`,
    )
}

/** Those of a kept note, when it is of the very text that was signed now. */
function signaturesOf(kept: { note: string } | undefined, note: string): NoteSignature[] {
  const parsed = kept && parseNote(kept.note)
  return parsed !== undefined && parsed.text === parseNote(note)?.text ? parsed.signatures : []
}

/** The note with these signatures too; of one key the newer stays, and the log's own is its first. */
function withSignatures(note: string, more: readonly NoteSignature[]): string {
  const parsed = parseNote(note)
  if (parsed === undefined) throw new FatalError('the signer gave something that is no note')
  const keyOf = ({ name, keyId }: NoteSignature) => `${name} ${keyId}`
  const [own, ...others] = parsed.signatures
  const all = new Map([...others, ...more].map((one) => [keyOf(one), one]))
  if (own !== undefined) all.delete(keyOf(own))
  return formatNote({ ...parsed, signatures: [...(own ? [own] : []), ...all.values()] })
}

function cosigners(note: string, policy: Policy | undefined) {
  const parsed = parseNote(note)
  const keys = policy?.witnesses.map(({ key }) => key) ?? []
  const verdict = parsed && verifyNote(parsed, keys)
  return new Set(verdict?.kind === 'verified' ? verdict.by.map(({ key }) => key) : [])
}

function keptOf({ anchor, outcome }: Taken): KeptAnchor {
  return { kind: anchor.kind, who: outcome.who, body: toHex(outcome.body) }
}
