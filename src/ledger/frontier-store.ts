// The frontier of a ledger as it stands in the head; computed from the stored hashes where it is not there.
//
// Promises: what it gives is the frontier of exactly the head's entries, or FatalError. A crash in the middle leaves
// nodes that the next run finds equal.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { FatalError } from '../domain/errors.ts'
import { putTree } from '../steps/append.ts'
import type { LedgerHead, LedgerNode } from '../steps/append.ts'
import { fromHex, toHex } from './bytes.ts'
import { createFrontier } from './tree/frontier.ts'
import type { Frontier } from './tree/frontier.ts'

const hashesPerPage = 50_000

export async function openFrontier(db: Database, head: LedgerHead): Promise<Frontier> {
  if (head.frontier === undefined) return await growFrontier(db, head)
  const bytes = fromHex(head.frontier)
  if (bytes === undefined) throw new FatalError('the frontier of the ledger is not hexadecimal')
  try {
    return createFrontier({ size: head.size, bytes })
  } catch (cause) {
    throw new FatalError('the frontier of the ledger is not one of its size', { cause })
  }
}

async function growFrontier(db: Database, head: LedgerHead): Promise<Frontier> {
  const frontier = createFrontier()
  while (frontier.size() < head.size) {
    const nodes: LedgerNode[] = []
    const from = frontier.size()
    const rows = await ask(
      'read the hashes of the ledger',
      db<{ seq: number; hash: Buffer }[]>`
        select seq, hash from ledger_entry
        where seq >= ${from} and seq < ${Math.min(head.size, from + hashesPerPage)} order by seq`,
    )
    for (const { seq, hash } of rows) {
      if (seq !== frontier.size()) break
      frontier.push(Uint8Array.from(hash), ({ level, index, root }) =>
        nodes.push({ level, index, hash: toHex(root) }),
      )
    }
    if (frontier.size() === from) throw new FatalError(`entry ${from} of the ledger is missing`)
    await putTree(db, { head, nodes })
  }
  await putTree(db, { head, nodes: [], frontier: toHex(frontier.bytes()) })
  return frontier
}
