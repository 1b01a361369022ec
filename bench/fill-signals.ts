// Millions of bank signals in the database, for what reads them.
import type { Database } from '../src/db/client.ts'

export const banks = 10
const perGeneration = 50_000

/** As imports would have left it: the n-th content has the PDQ hash sha256(n as four bytes). Keys that nothing here reads by are not built: they would take most of the time. */
export async function fillSignals(owner: Database, count: number): Promise<void> {
  await owner`alter table bank_signal drop constraint bank_signal_content_fkey`
  await owner`alter table bank_content drop constraint bank_content_bank_fkey`
  await owner`drop index bank_signal_value, bank_signal_content, bank_content_bank`
  await owner`insert into bank (name, mode, class, policy, created_at)
    select 'BANK_' || n, 'observe', 'restricted', '{"pdqDistanceMax": 31}', now()
    from generate_series(1, ${banks}::integer) n`
  await owner`insert into bank_content (bank, created_at)
    select 1 + (n - 1) / ${Math.ceil(count / banks)}::integer, now() from generate_series(1, ${count}::integer) n`
  await owner`insert into bank_signal (content, type, value, quality, added_generation)
    select n, 'pdq', sha256(int4send(n)), 100, 1 + n / ${perGeneration}::integer
    from generate_series(1, ${count}::integer) n`
  await owner`update bank_head set generation = ${Math.floor(count / perGeneration) + 1}`
  await owner`vacuum (analyze) bank_signal, bank_content`
}
