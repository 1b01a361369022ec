// Step report_user: a user's report is kept, and what it names is taken in, in one statement.
import type { SourceBatch } from '../domain/batch.ts'
import type { Did } from '../domain/blob.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import type { Database } from '../db/client.ts'
import { callStep } from '../db/client.ts'
import { takeInPayload } from './take-in.ts'

/** Durable on return. `did`: of the account that it is about, where it is known: the report goes when the account does. */
export async function reportUser(
  db: Database,
  input: {
    id: string
    principal: number
    did: Did | undefined
    contentId: string
    reason: string
    batch: SourceBatch
    others: OtherTypes
    nowMs: number
  },
): Promise<void> {
  const { batch, did, others, nowMs, ...rest } = input
  await callStep(db, 'report_user_v1', {
    ...rest,
    ...(did !== undefined && { did }),
    now: new Date(nowMs),
    batch: takeInPayload(batch, { source: 'api', host: 'api', others, nowMs }),
  })
}
