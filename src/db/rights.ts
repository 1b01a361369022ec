// What the application's role may do: read everything, change the world through the steps only, and sweep what is old.
// The ledger's tables are out of its reach but for reading. Run by the owner after the migrations; safe to run again.
import { ask } from './client.ts'
import type { Database } from './client.ts'

const sweepable = [
  'frame_undecodable',
  'fetch_try',
  'webhook_seen',
  'blob',
  'blob_other',
  'blob_variant',
  'label',
]

export async function grantApplication(owner: Database, role: string): Promise<void> {
  const who = `"${role.replaceAll('"', '""')}"`
  await ask(
    'grant rights to the application role',
    owner
      .unsafe(
        `grant usage on schema blobwatch to ${who};
         grant select on all tables in schema blobwatch to ${who};
         alter default privileges in schema blobwatch grant select on tables to ${who};
         grant delete on ${sweepable.map((table) => `blobwatch.${table}`).join(', ')} to ${who};`,
      )
      .simple(),
  )
}
