// What an import from HMA does or did, in words. Banks by their names: who may run this sees them in bank list too.
import { leftOutSentence } from '../banks/hma-content.ts'
import { knownHmaBanks } from '../banks/hma-steps.ts'
import type { BankTotal } from '../banks/hma-pages.ts'
import type { Database } from '../db/client.ts'
import type { HmaImported, HmaPlan } from '../roles/import-hma.ts'
import type { Io } from './io.ts'
import { count, printJson, printTable } from './output.ts'

type Result = Pick<HmaImported, 'banks' | 'left' | 'removedHere'> &
  Partial<Pick<HmaImported, 'looksBack' | 'resumedAfter' | 'credentials'>>

type Counted = { reason: string; count: number }

export async function printHmaImport(
  io: Io,
  db: Database,
  input: { plan: HmaPlan; result: Result; isDryRun: boolean; json: boolean },
): Promise<void> {
  const { plan, isDryRun, json } = input
  const result = { ...input.result, left: input.result.left.toSorted(byCount) }
  const rows = await namedBanks(db, plan, result.banks)
  if (json) {
    const { version, writable } = plan.facts
    const { contents, signals } = plan.counts
    printJson(io, {
      dryRun: isDryRun,
      hma: { version: version ?? null, contents, signals, exchanges: plan.exchanges.length },
      roleCouldWrite: writable.length > 0,
      banks: rows,
      left: result.left,
      remarks: plan.remarks,
      removedHere: result.removedHere,
      ...(!isDryRun && {
        looksBack: result.looksBack,
        resumedAfter: result.resumedAfter ?? null,
        credentials: result.credentials ?? null,
      }),
    })
    return
  }
  io.out(
    `HMA${plan.facts.version === undefined ? '' : ` (schema ${plan.facts.version})`} has ${count(plan.banks.length, 'bank')}, ${count(plan.counts.contents, 'content')}, ${count(plan.counts.signals, 'signal')}, ${count(plan.exchanges.length, 'exchange')}.`,
  )
  if (result.resumedAfter !== undefined)
    io.out(`An import that was stopped went on after content ${result.resumedAfter}.`)
  printTable(
    io,
    rows,
    [
      { head: 'bank', cell: (row) => row.name },
      { head: 'new', cell: (row) => row.added, align: 'right' },
      { head: 'changed', cell: (row) => row.changed, align: 'right' },
      { head: 'removed', cell: (row) => row.removed, align: 'right' },
      { head: 'unchanged', cell: (row) => row.unchanged, align: 'right' },
    ],
    'No content was or is in HMA.',
  )
  printLeft(io, plan, result)
  if (isDryRun) io.out('Nothing was changed: --dry-run.')
  else printEnd(io, result)
}

/** How a person knows that it is over, and what to do next. */
function printEnd(io: Io, { banks, credentials, looksBack, resumedAfter }: Result): void {
  const moved = banks.reduce(
    (sum, { added, changed, removed }) => sum + added + changed + removed,
    0,
  )
  if (credentials !== undefined)
    io.out(`Credentials of ${count(credentials, 'api')} are here, sealed under the data key.`)
  if (looksBack === true)
    io.out('A running service compares what it scanned before with the new contents.')
  if (resumedAfter !== undefined && resumedAfter > 0)
    io.out(
      `Done, in more than one call. What HMA changed meanwhile up to content ${resumedAfter} comes with the next import: say it once more.`,
    )
  else if (moved > 0)
    io.out('Done. A running service has it within seconds. Said again, all is unchanged.')
  else io.out('Done. Nothing had changed in HMA since the last import.')
}

function printLeft(io: Io, { remarks }: HmaPlan, { left, removedHere }: Result): void {
  if (left.length + remarks.length > 0) io.out('What stays behind, or comes otherwise:')
  for (const one of left) io.out(`  ${one.count} × ${leftOutSentence(one.reason)}`)
  for (const remark of remarks) io.out(`  ${remark}`)
  if (removedHere > 0)
    io.out(
      `${count(removedHere, 'content')} of HMA stay removed, because somebody removed them here.`,
    )
}

function byCount(a: Counted, b: Counted): number {
  return b.count - a.count || (a.reason < b.reason ? -1 : 1)
}

async function namedBanks(
  db: Database,
  { banks }: HmaPlan,
  totals: BankTotal[],
): Promise<(BankTotal & { name: string })[]> {
  const known = await knownHmaBanks(db)
  const names = new Map(banks.map(({ id, name }) => [known.get(id) ?? -id, name]))
  const told = new Set(totals.map(({ bank }) => bank))
  const empty = [...names.keys()].filter((bank) => !told.has(bank))
  const none = { added: 0, changed: 0, removed: 0, unchanged: 0 }
  return [...totals, ...empty.map((bank) => ({ bank, ...none }))]
    .map((total) => ({ name: names.get(total.bank) ?? `b${total.bank}`, ...total }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
