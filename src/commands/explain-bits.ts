// Which bits of two PDQ hashes differ, as a picture of 16 by 16. Only for what the person has anyway: never a restricted
// or confidential bank, whose hash would follow from it (promise 8).
import { ask } from '../db/client.ts'
import type { Database } from '../db/client.ts'
import type { Bank, Match } from '../domain/bank.ts'
import type { Hex } from '../domain/blob.ts'
import type { BlobStory } from '../roles/explain-blob.ts'
import { signalsOfStory } from '../roles/explain-blob.ts'

/** 16 lines; `#`: differs. In the order in which the hash is written. */
export function bitPicture(a: Hex, b: Hex): string[] {
  const bits = Array.from({ length: a.length }, (_, digit) =>
    (Number.parseInt(a[digit] as string, 16) ^ Number.parseInt(b[digit] as string, 16))
      .toString(2)
      .padStart(4, '0'),
  ).join('')
  return Array.from({ length: 16 }, (_, row) =>
    bits
      .slice(row * 16, row * 16 + 16)
      .replaceAll('0', '. ')
      .replaceAll('1', '# ')
      .trimEnd(),
  )
}

/** By signal id, of the matches whose bank is open. */
export async function bitsOfMatches(
  db: Database,
  story: BlobStory,
  matches: readonly Match[],
  banks: ReadonlyMap<number, Bank>,
): Promise<ReadonlyMap<number, string[]>> {
  const open = matches.filter(({ type, bankId }) => {
    const bank = banks.get(bankId)
    return type === 'pdq' && bank?.class === 'open' && !bank.confidential
  })
  const values = await valuesOf(
    db,
    open.map((match) => match.signalId),
  )
  const { pdq, variants = [] } = signalsOfStory(story)
  const pictures = new Map<number, string[]>()
  // What a restricted bank matched as well would show that bank's hash by its own.
  if (matches.some(({ bankId }) => isClosed(banks.get(bankId))) || story.matches.some(isClosed))
    return pictures
  for (const { signalId, variant } of open) {
    const value = values.get(signalId)
    const hash =
      variant === 'original' ? pdq?.hash : variants.find((one) => one.variant === variant)?.hash
    if (value !== undefined && hash !== undefined) pictures.set(signalId, bitPicture(hash, value))
  }
  return pictures
}

export function isClosed(bank: Pick<Bank, 'class' | 'confidential'> | undefined): boolean {
  return bank === undefined || bank.class === 'restricted' || bank.confidential
}

async function valuesOf(db: Database, signals: number[]): Promise<Map<number, Hex>> {
  if (signals.length === 0) return new Map()
  const rows = await ask(
    'read signals of open banks',
    db<{ id: number; value: Hex }[]>`
      select s.id, encode(s.value, 'hex') as value
      from bank_signal s join bank_content c on c.id = s.content join bank b on b.id = c.bank
      where s.id = any (${signals}::integer[]) and b.class = 'open' and not b.confidential`,
  )
  return new Map(rows.map((row) => [row.id, row.value]))
}
