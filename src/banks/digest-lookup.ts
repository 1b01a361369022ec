// What the banks say about digests, straight from the database: for a question by hand, where reading ten million signals
// to answer it would be waste.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import type { Match } from '../domain/bank.ts'
import type { Signals } from '../domain/blob.ts'

const digestTypes = ['sha256', 'md5', 'sha1'] as const

/** For each blob what `Matcher.match` says of its digests, in its order. PDQ and CLIP are not looked at. */
export async function findDigests(
  db: Database,
  blobs: readonly Signals[],
  nowMs: number,
): Promise<Match[][]> {
  const asked = blobs.flatMap((signals, blob) =>
    digestTypes.flatMap((type) => {
      const value = signals[type]
      return value === undefined || value === '' ? [] : [{ blob, type, value }]
    }),
  )
  const rows = await ask(
    'look digests up',
    db<(Omit<Match, 'distance' | 'variant'> & { blob: number })[]>`
      select q.blob, s.id as "signalId", s.content as "contentId", c.bank as "bankId", s.type
      from jsonb_to_recordset(${db.json(asked)}::jsonb) as q(blob integer, type text, value text)
      join bank_signal s on s.type = q.type and s.value = decode(q.value, 'hex')
      join bank_content c on c.id = s.content
      where s.removed_generation is null
        and (c.disable_until_ts = 1 or c.disable_until_ts between 2 and ${Math.floor(nowMs / 1000)})
      order by c.bank, s.content, s.id`,
  )
  return blobs.map((_, blob) =>
    rows
      .filter((row) => row.blob === blob)
      .map(({ signalId, contentId, bankId, type }) => ({
        signalId,
        contentId,
        bankId,
        type,
        distance: 0,
        variant: 'original',
      })),
  )
}
