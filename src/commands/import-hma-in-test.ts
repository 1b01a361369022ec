// What the tests of import hma stand on, and what came of it.
import type { TestContext } from 'node:test'
import { testDatabase } from '../testing/database.ts'
import { hmaInTest } from '../testing/hma-database.ts'
import { commandLine } from './run-in-test.ts'

/** Ours and an empty HMA beside it. */
export async function importInTest(t: TestContext) {
  const database = await testDatabase(t)
  const hma = await hmaInTest(database, t)
  const run = await commandLine(database)
  return {
    database,
    hma,
    run,
    import: (...more: string[]) => run(['import', 'hma', hma.url, ...more]),
  }
}
export type World = Awaited<ReturnType<typeof importInTest>>

export async function contentsOf({ database }: World) {
  return database.owner<
    {
      id: number
      bank: string
      ts: number
      note: string | null
      signals: string[]
      live: boolean
    }[]
  >`
    select c.id, b.name as bank, c.disable_until_ts as ts, c.note, c.removed_at is null as live, array(
      select s.type || ' ' || encode(s.value, 'hex') from bank_signal s where s.content = c.id and s.state = 'live' order by 1) as signals
    from bank_content c join bank b on b.id = c.bank order by c.id`
}
export const find = async (world: World, id: number) =>
  (await contentsOf(world)).find((one) => one.id === id)
export async function headOf({ database }: World): Promise<number> {
  const [row] = await database.owner<{ generation: number }[]>`select generation from bank_head`
  return row?.generation ?? 0
}
