// The ledger as the database has it, through the same checks as a bundle: entries, tree, signed heads, kept values.
import { randomInt } from 'node:crypto'
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { FatalError } from '../domain/errors.ts'
import { sameBytes } from '../ledger/bytes.ts'
import { readCheckpoints } from '../ledger/read-heads.ts'
import type { StoredHead } from '../ledger/read-heads.ts'
import { readEntries, readPrivate } from '../ledger/read-ledger.ts'
import type { LedgerHeadRow, StoredEntry } from '../ledger/read-ledger.ts'
import type { DataKey } from '../ledger/seal.ts'
import { createTileReader } from '../ledger/tile-store.ts'
import { createHeadChecks } from '../verifier/check-heads.ts'
import type { Trust } from '../verifier/trust.ts'
import type { Pin } from '../verifier/verify-bundle.ts'
import { createVerifier } from '../verifier/verify-stored.ts'
import type { LedgerReport, StoredVerifier } from '../verifier/verify-stored.ts'

export type StoredReport = LedgerReport & {
  checkpoints: number
  /** Entries after the newest checkpoint. */
  unsigned: number
}

/** `onPage`: looks at entries on the way. `trust`: without one, roots are compared and signatures are not. */
export async function checkStored(
  db: Database,
  options: {
    head: LedgerHeadRow
    dataKey: DataKey | undefined
    trust: Trust | undefined
    pins: readonly Pin[]
    onPage: (entries: readonly StoredEntry[], done: number) => void
  },
): Promise<StoredReport> {
  const { head, dataKey, pins } = options
  const verifier = createVerifier({
    ...{ log: head.log, entries: head.size, seed: randomInt(2 ** 32) },
    pairs: dataKey !== undefined,
  })
  const { findings } = verifier
  const heads = createHeadChecks({ findings, trust: options.trust, eras: () => verifier.eras() })
  const stored = openHeads(db, head)
  const hasTree = await treeIsStored(db)
  let [done, newest] = [0, 0]
  const lookAt = async (size: number, root: Uint8Array | 'short') => {
    for (const { origin, size: of, note } of await stored.take(size)) {
      newest = Math.max(newest, of)
      heads.checkpoint(`checkpoint ${of} of ${origin}`, note, () => root)
    }
    for (const { name, checkpoint } of pins)
      if (root === 'short' ? checkpoint.size > done : checkpoint.size === size)
        heads.pin(`pinned ${name}`, checkpoint, () => root)
  }
  await lookAt(0, verifier.root())
  for await (const entries of readEntries(db, { from: 0, to: head.size })) {
    const open = await readPrivate(db, entries, dataKey)
    const sizes = new Set([
      ...(await stored.sizesUpTo(done + entries.length)),
      ...pins.map(({ checkpoint }) => checkpoint.size),
    ])
    for (const entry of entries) {
      verifier.add([entry], open)
      done += 1
      if (sizes.has(done)) await lookAt(done, verifier.root())
    }
    if (hasTree) await compareTiles(db, verifier)
    else verifier.takeTiles()
    options.onPage(entries, done)
  }
  verifier.endTree()
  if (hasTree) await compareTiles(db, verifier)
  await lookAt(Infinity, 'short')
  if (verifier.needsSecondLook())
    for await (const entries of readEntries(db, { from: 0, to: head.size }))
      verifier.lookAgain(entries)
  const { checkpoints } = heads.end()
  return { ...verifier.end(head), checkpoints, unsigned: done - Math.min(newest, done) }
}

/** Level 0 are the entries' own hashes, which were compared; above it the database keeps the roots of full tiles. */
async function compareTiles(db: Database, verifier: StoredVerifier): Promise<void> {
  const reader = createTileReader(db)
  for (const { level, name, hashes } of verifier.takeTiles()) {
    if (level === 0) continue
    const where = `tile ${level}/${name.index}`
    try {
      const stored = await reader.readTile(level, name.index, name.width)
      if (!sameBytes(stored, hashes))
        verifier.findings.tampered(where, 'a stored hash of the tree is not that of the entries')
    } catch (error) {
      if (!(error instanceof FatalError)) throw error
      verifier.findings.tampered(where, 'hashes of the tree are missing')
    }
  }
}

/** A ledger from before the tree has none until a service has led it. */
async function treeIsStored(db: Database): Promise<boolean> {
  const [row] = await ask(
    'look for the tree of the ledger',
    db<{ there: boolean }[]>`select frontier is not null as there from ledger_head`,
  )
  return row?.there === true
}

/** Checkpoints one page ahead of the entries. */
function openHeads(db: Database, head: LedgerHeadRow) {
  const pages = readCheckpoints(db, { origin: head.log, size: Number.MAX_SAFE_INTEGER })
  let waiting: StoredHead[] = []
  let isOver = false
  const fill = async (size: number) => {
    while (!isOver && (waiting.at(-1)?.size ?? -1) <= size) {
      const page = await pages.next()
      if (page.done === true) isOver = true
      else waiting.push(...page.value)
    }
  }
  return {
    async sizesUpTo(size: number): Promise<number[]> {
      await fill(size)
      return waiting.filter((one) => one.size <= size).map((one) => one.size)
    },
    async take(size: number): Promise<StoredHead[]> {
      await fill(size)
      const taken = waiting.filter((one) => one.size <= size)
      waiting = waiting.filter((one) => one.size > size)
      return taken
    },
  }
}
