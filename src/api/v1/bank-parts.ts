// What the routes of banks and of their contents share.
import { z } from '@hono/zod-openapi'
import { bankNamed } from '../../banks/bank-store.ts'
import type { Config } from '../../config.ts'
import type { Database } from '../../db/client.ts'
import type { Bank } from '../../domain/bank.ts'
import { bankNameCharsMax } from '../../domain/bank.ts'
import type { Clock, Hasher } from '../../domain/ports.ts'
import type { Turns } from '../turns.ts'
import { orRefuse } from './declare.ts'

export type BankParts = {
  db: Database
  clock: Clock
  config: Config
  hasher: Hasher
  turns: Turns
}

export const bankName = z.string().min(1).max(bankNameCharsMax)

export async function findBank(db: Database, name: string): Promise<Bank> {
  return orRefuse(404, 'no-such-bank', bankNamed(db, name))
}
