// The session that holds a leader's lock. A process that is stopped or starved keeps its connection open, and with it the
// lock: the server ends a session that a living leader would have used long ago (it looks every two seconds, db/lead.ts).
import { ask } from '../db/client.ts'
import { openSession } from '../db/session.ts'
import type { Session, SessionOptions } from '../db/session.ts'
import type { DatabaseAddress } from '../db/address.ts'

/** With the others' next look a second later, another process leads within ten seconds. */
export const leaderSilenceMsMax = 8_000

export async function openLeadSession(
  address: DatabaseAddress,
  options: SessionOptions,
): Promise<Session> {
  const session = await openSession(address, options)
  try {
    await ask(
      'bound the silence of a leader',
      session.sql`select set_config('idle_session_timeout', ${String(leaderSilenceMsMax)}, false)`,
    )
    return session
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
}
