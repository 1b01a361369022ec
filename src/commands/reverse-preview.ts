// What a reversal would do, before it does anything.
import { bankNames } from '../cases/reversal.ts'
import { pausesInForce } from '../cases/pauses.ts'
import type { ContentHead } from '../cases/reversal.ts'
import type { Database } from '../db/client.ts'
import type { ActionKind } from '../domain/bank.ts'
import type { ReversalFate, ReversalPreview, ReversalScope } from '../steps/reverse.ts'
import type { Io } from './io.ts'
import { count, printTable } from './output.ts'
import type { Column } from './output.ts'
import { scopeInWords } from './reverse-scope.ts'

type KindRow = { kind: ActionKind } & Record<ReversalFate, number>

export async function printPreview(
  io: Io,
  db: Database,
  shown: {
    scope: ReversalScope
    preview: ReversalPreview
    /** Of --content, as it is now. */
    content: ContentHead | undefined
    disables: boolean
  },
): Promise<void> {
  const { scope, preview } = shown
  io.out(`To take back: ${scopeInWords(scope.as)}.`)
  printTable(io, kindRows(preview), kindColumns, 'Nothing of it is in force, under way or waiting.')
  if (preview.actions > 0) {
    io.out(
      `${count(preview.actions, 'action')} of ${count(preview.accounts, 'account')} to take back. ${sendsTold(preview.sends)}`,
    )
  }
  if (preview.sends > 0 && (await pausesInForce(db)).length > 0)
    io.out('Actions are paused: what is paused is not undone either until resume.')
  for (const [bank, actions] of await keptByName(db, preview))
    io.out(
      `${count(actions, 'action')} ${actions === 1 ? 'stays' : 'stay'} because ${bank} matches there too.`,
    )
  if (scope.key !== undefined)
    io.out(
      'What a key did is recorded under its owner: all that the owner did while it was valid counts.',
    )
  for (const line of contentsTold(shown)) io.out(line)
}

export async function previewForMachines(
  db: Database,
  scope: ReversalScope,
  preview: ReversalPreview,
) {
  const { kinds, actions, sends, accounts } = preview
  return {
    scope: scope.as,
    preview: {
      kinds,
      actions,
      sends,
      accounts,
      keptBy: Object.fromEntries(await keptByName(db, preview)),
    },
  }
}

function sendsTold(sends: number): string {
  if (sends === 0) return 'Nothing of it was sent, so nothing has to be undone anywhere.'
  return `${count(sends, 'undo', 'undos')} ${sends === 1 ? 'is' : 'are'} sent: no cap keeps a reversal, they leave as fast as the other side takes them.`
}

/** What becomes of the contents, or what happens when nothing does. */
function contentsTold({
  scope,
  content,
  disables,
}: {
  scope: ReversalScope
  content: ContentHead | undefined
  disables: boolean
}): string[] {
  if (content?.removed === true || content?.disabled === true)
    return [`Content ${content.content} matches nothing now: it will not act again.`]
  if (disables) {
    return content === undefined
      ? [
          'The contents that caused it are disabled first.',
          ...(scope.bank === undefined
            ? []
            : ['Others of the bank stay: bank set with --mode observe stops all of it.']),
        ]
      : [
          `Content ${content.content} of ${content.bank} is disabled first; bank enable lets it match again.`,
        ]
  }
  if (content !== undefined)
    return [
      `Content ${content.content} of ${content.bank} stays enabled: it acts again at the next sighting. --disable (recommended) disables it first.`,
    ]
  return scope.bank === undefined && scope.principal === undefined
    ? ['What caused it stays as it is, and acts again at the next sighting.']
    : [
        'The contents that caused it stay enabled: they act again at the next sighting. --disable (recommended) disables them first.',
      ]
}

async function keptByName(db: Database, preview: ReversalPreview): Promise<[string, number][]> {
  const names = await bankNames(db, [...preview.keptBy.keys()])
  return [...preview.keptBy].map(([bank, actions]) => [names.get(bank) ?? `bank ${bank}`, actions])
}

function kindRows(preview: ReversalPreview): KindRow[] {
  return Object.entries(preview.kinds).map(([kind, fates]) => ({
    kind: kind as ActionKind,
    ...fates,
  }))
}

const fateHeads: Record<ReversalFate, string> = {
  stop: 'stopped',
  reverse: 'undone',
  'other-cause': 'stays',
  'not-ours': 'not ours',
  'nothing-to-undo': 'undone before',
}

const kindColumns: Column<KindRow>[] = [
  { head: 'what', cell: (row) => row.kind },
  ...Object.entries(fateHeads).map(([fate, head]) => ({
    head,
    cell: (row: KindRow) => row[fate as ReversalFate],
    align: 'right' as const,
  })),
]
