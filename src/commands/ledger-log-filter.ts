// What `ledger log` is asked for, as conditions on entries.
import { UsageError } from '../domain/errors.ts'
import type { Condition } from '../ledger/find-entries.ts'
import { ledgerConditions } from '../roles/ledger-filter.ts'
import type { CommandSession } from './session.ts'
import { parseCase } from './case-show.ts'
import { findDataKey } from './data-key.ts'
import { subjectCondition } from './ledger-log-subject.ts'
import { parseWhole } from './parse.ts'

export type FilterOptions = {
  type?: string[]
  grep?: string
  case?: string
  bank?: string
  action?: string
  actor?: string
  subject?: string
}

export async function readConditions(
  { config, db }: CommandSession,
  options: FilterOptions,
): Promise<Condition[]> {
  const max = Number.MAX_SAFE_INTEGER
  const conditions = [
    ...(await ledgerConditions(db, {
      types: options.type,
      case: options.case === undefined ? undefined : parseCase(options.case),
      bank: options.bank,
      action:
        options.action === undefined
          ? undefined
          : parseWhole(options.action, '--action', { min: 1, max }),
      actor: options.actor,
    })),
    ...(options.grep === undefined
      ? []
      : await ledgerConditions(db, { types: [`${options.grep}*`] })),
  ]
  if (options.subject === undefined) return conditions
  const dataKey = await findDataKey(config, db)
  if (dataKey === undefined) {
    throw new UsageError(
      '--subject opens what entries keep sealed, and this machine has no data key: set BLOBWATCH_DATA_KEY',
    )
  }
  return [...conditions, await subjectCondition(db, options.subject, dataKey)]
}
