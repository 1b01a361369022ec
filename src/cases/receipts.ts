// What a receipt is made of: the actions of one account that were carried out, with the entries that record them.
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'

export type ReceiptAction = {
  action: number
  kind: string
  applied: boolean
  intent_seq: number
  result_seq: number
  case_file: number | null
  ended_at: Date
}

/** Oldest first; `through`: entries that a signed checkpoint covers. */
export async function actionsForReceipts(
  db: Database,
  options: { account: number; caseNumber: number | undefined; through: number; limit: number },
): Promise<ReceiptAction[]> {
  const caseNumber = options.caseNumber ?? null
  return ask(
    'read the actions of an account',
    db<ReceiptAction[]>`
      select a.id as action, a.kind, a.applied, a.intent_seq, a.result_seq, d.case_file, a.ended_at
      from action a
      join subject s on s.id = a.subject
      join decision d on d.id = a.decision
      where s.account = ${options.account} and a.state = 'done'
        and a.intent_seq is not null and a.result_seq is not null
        and greatest(a.intent_seq, a.result_seq) < ${options.through}
        and (${caseNumber}::integer is null or d.case_file = ${caseNumber})
      order by a.id limit ${options.limit}`,
  )
}
