// What the routes of banks and of their contents share.
import { bankNamed } from '../../banks/bank-store.ts'
import type { Config } from '../../config.ts'
import type { Database } from '../../db/client.ts'
import type { Bank } from '../../domain/bank.ts'
import { bankNameCharsMax } from '../../domain/bank.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import type { Clock, Hasher } from '../../domain/ports.ts'
import type { Turns } from '../turns.ts'
import { orRefuse, Refusal, text } from './declare.ts'

export type BankParts = {
  db: Database
  clock: Clock
  config: Config
  hasher: Hasher
  others: OtherTypes
  turns: Turns
}

export const bankName = text.min(1).max(bankNameCharsMax)

export async function findBank(db: Database, name: string): Promise<Bank> {
  return orRefuse(404, 'no-such-bank', bankNamed(db, name))
}

export function personNeeded(): Refusal {
  return new Refusal(
    403,
    'person-needed',
    'What lets a bank do more by itself is decided by a person: use a key made with key create NAME --person.',
  )
}
