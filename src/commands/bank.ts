// bank: the banks of known items and what may be done when something matches them.
import type { Command } from 'commander'
import { listBanks } from '../banks/bank-store.ts'
import type { Io } from './io.ts'
import { addBankContentState } from './bank-content-state.ts'
import { addBankContents } from './bank-contents.ts'
import { addBankExport } from './bank-export.ts'
import { addBankImport } from './bank-import.ts'
import { addBankMove } from './bank-move.ts'
import { addBankPolicy } from './bank-policy.ts'
import { addBankShow, suppressedText } from './bank-show.ts'
import { addBankTest } from './bank-test.ts'
import { withExamples } from './examples.ts'
import { printRows } from './output.ts'
import type { Column } from './output.ts'
import { withSession } from './session.ts'

type BankRow = Awaited<ReturnType<typeof listBanks>>[number]

export function addBank(program: Command, io: Io): void {
  const command = program
    .command('bank')
    .description(
      'banks of known items: list, create, set, show; their contents: add, import, export, move, remove, disable, enable, resume',
    )
  withExamples(
    command
      .command('list')
      .description('the banks with their modes and sizes')
      .option('--json', 'print the result as JSON')
      .action(async (options: { json?: boolean }) => {
        const rows = await withSession(io, ({ db }) => listBanks(db))
        const none = 'There is no bank yet: bank create NAME'
        printRows(io, options, 'banks', rows, columnsOf(rows), none)
      }),
    ['bank list', 'bank list --json'],
  )
  addBankPolicy(command, io)
  addBankContents(command, io)
  addBankMove(command, io)
  addBankImport(command, io)
  addBankExport(command, io)
  addBankContentState(command, io)
  addBankShow(command, io)
  addBankTest(command, io)
}

function columnsOf(banks: readonly BankRow[]): Column<BankRow>[] {
  const nameOf = new Map(banks.map(({ id, name }) => [id, name]))
  return [
    { head: 'bank', cell: (row) => row.name },
    { head: 'mode', cell: (row) => row.mode },
    { head: 'class', cell: (row) => row.class },
    { head: 'contents', cell: (row) => row.contents, align: 'right' },
    { head: 'signals', cell: (row) => row.signals, align: 'right' },
    { head: 'exact', cell: (row) => row.policy.exact },
    {
      head: 'perceptual',
      cell: ({ policy }) =>
        `${policy.perceptual} (PDQ ≤ ${policy.pdqDistanceMax}, CLIP ≤ ${policy.clipDistanceMax})`,
    },
    { head: 'share', cell: ({ policy }) => (policy.ratio === 1 ? 'all' : `${policy.ratio}`) },
    { head: 'suppresses', cell: ({ policy }) => suppressedText(policy, nameOf) },
    { head: 'actions', cell: (row) => row.policy.actions.join(', ') },
    { head: 'label', cell: (row) => row.policy.label ?? '' },
  ]
}
