// Facts that become entries by themselves, many in one statement.
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'

export type Fact = {
  type: string
  actor?: { kind: 'person' | 'service' | 'system'; principal?: number }
  /** What the entry shows: nothing personal. */
  pub: Record<string, unknown>
  /** field -> value; becomes salted commitments. */
  private?: Record<string, string>
  account?: number
  /** The same fact has the same key. */
  idem: string
  atMs: number
}

/**
 * The intake row of each fact, in order; undefined where it has become an entry before. Durable on return.
 * Safe to repeat while the rows wait.
 */
export async function noteFacts(
  db: Database,
  facts: readonly Fact[],
): Promise<(number | undefined)[]> {
  const lines = facts.map(({ atMs, ...fact }) => JSON.stringify({ ...fact, at: new Date(atMs) }))
  const rows = await callStep<{ idem: string; id: number | null }[]>(db, 'note_facts_v1', {}, [
    lines.join('\n'),
  ])
  const ids = new Map(rows.map(({ idem, id }) => [idem, id ?? undefined]))
  return facts.map(({ idem }) => ids.get(idem))
}
