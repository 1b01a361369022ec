// Before a leader appends: is this the ledger that was signed, and that others hold?
//
// A database that was restored from a backup, cut short, or promoted without its last writes is shorter than what was
// signed, or another one. Nothing is appended to it then, and so no action leaves. `ledger recover` is the way on.
import type { Database } from '../db/client.ts'
import { FatalError } from '../domain/errors.ts'
import { sameBytes, toHex } from '../ledger/bytes.ts'
import type { Anchor } from '../ledger/anchor/anchor.ts'
import { openFrontier } from '../ledger/frontier-store.ts'
import { nextLogName } from '../ledger/log-name.ts'
import type { LedgerSigner } from '../ledger/signer/signer.ts'
import { createTileReader } from '../ledger/tile-store.ts'
import { createProver } from '../ledger/tree/prove.ts'
import type { Prover } from '../ledger/tree/prove.ts'
import type { LedgerHead } from '../steps/append.ts'
import { newestCheckpoint } from '../steps/checkpoints.ts'
import type { Log } from '../telemetry/log.ts'

/** The ledger is not the one that was signed. An operator may mend that while the process runs. */
export class LedgerRefusedError extends FatalError {
  override name = 'LedgerRefusedError'
}

export type VetOptions = {
  db: Database
  signer: LedgerSigner
  anchors: readonly Anchor[]
  signal: AbortSignal
  log: Pick<Log, 'warn'>
}

type Known = { size: number; root?: Uint8Array }

const askMs = 10_000

/**
 * The head with its frontier. Throws LedgerRefusedError with the sentence for the operator; RetryableError when the
 * signer is away. A witness or a host that is away is passed over with a warning: the signer has the newest word.
 */
export async function vetLedger(taken: LedgerHead, options: VetOptions): Promise<LedgerHead> {
  const { db, signer } = options
  const frontier = await openFrontier(db, taken)
  const head = { ...taken, frontier: toHex(frontier.bytes()) }
  const prover = createProver(createTileReader(db), head.size)
  if (!sameBytes(await prover.rootAt(head.size), frontier.root()))
    throw new FatalError('the head of the ledger is not the root of its entries')

  await refuseLeftName(signer, head.log)
  const signed = await signer.head(head.log)
  if (signed === undefined) await refuseForgottenSigner(db, head.log)
  else await compare(head, signed, { who: 'its signer has signed', prover })
  const others = await Promise.all(
    options.anchors.map(async (anchor) => ({
      anchor,
      known: await askAnchor(anchor, head.log, options),
    })),
  )
  for (const { anchor, known } of others) {
    if (known !== undefined) await compare(head, known, { who: `${anchor.who} holds`, prover })
  }
  return head
}

async function compare(
  head: LedgerHead,
  known: Known,
  { who, prover }: { who: string; prover: Prover },
): Promise<void> {
  if (known.size > head.size)
    throw new LedgerRefusedError(
      `the database has ${head.size} entries of ${head.log} and ${who} ${known.size}: it was restored from a backup, ` +
        'cut short, or promoted without its last writes. Nothing is appended and no action leaves. ' +
        'Bring the newest database back, or see `ledger recover`',
    )
  if (known.root !== undefined && !sameBytes(await prover.rootAt(known.size), known.root))
    throw new LedgerRefusedError(
      `the first ${known.size} entries of ${head.log} are not those that ${who}: entries were changed. ` +
        'Nothing is appended and no action leaves. Keep this database as evidence and see `ledger recover`',
    )
}

/** A database from before a recovery: the ledger has gone on under another name since. */
async function refuseLeftName(signer: LedgerSigner, origin: string): Promise<void> {
  const next = nextLogName(origin)
  if ((await signer.head(next)) === undefined) return
  throw new LedgerRefusedError(
    `this database holds ${origin}, which goes on as ${next}: it is from before the recovery. ` +
      'Nothing is appended and no action leaves. Bring the newest database back, or see `ledger recover`',
  )
}

async function refuseForgottenSigner(db: Database, origin: string): Promise<void> {
  const newest = await newestCheckpoint(db, { origin })
  if (newest === undefined) return
  throw new LedgerRefusedError(
    `the signer knows nothing of ${origin}, of which ${newest.size} entries were signed: it has another key or lost its heads. ` +
      'Give it its folder back, or start it once with --adopt and a checkpoint that others hold',
  )
}

async function askAnchor(
  anchor: Anchor,
  origin: string,
  { signal, log }: VetOptions,
): Promise<Known | undefined> {
  try {
    return await anchor.newest(origin, AbortSignal.any([signal, AbortSignal.timeout(askMs)]))
  } catch (error) {
    log.warn('an anchor of the ledger cannot be asked', {
      component: anchor.kind,
      error,
    })
    return undefined
  }
}
