import { once } from 'node:events'
import type { Database } from './client.ts'

/**
 * COPY … FROM STDIN of one text. Rejects with the server's error, or the connection's, whenever it comes: what comes after the
 * end of the text `postgres` gives to a promise that is settled by then, and the stream ends in nothing.
 */
export async function copyIn(sql: Database, statement: string, text: string): Promise<void> {
  const query = sql.unsafe(statement)
  const stream = await query.writable()
  const refused = Promise.withResolvers<never>()
  void Object.assign(query, { reject: refused.reject })
  const written = once(stream, 'finish')
  stream.end(text)
  await Promise.race([written, refused.promise])
}
