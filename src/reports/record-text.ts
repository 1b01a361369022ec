// The sections about the operator's own doings: lists and their freshness, and every change.
import type { ComplianceReport } from './compliance.ts'
import { bankName, figure, span, table, time } from './markdown.ts'

export function listsText({ lists, generatedAt }: ComplianceReport): string[] {
  return [
    '## Lists',
    '',
    'Lists come in by import, and from exchanges that are fetched; an exchange is known by its bank.',
    '',
    ...(lists.freshness.length === 0
      ? ['No list was ever imported, and no exchange is on.']
      : [
          `Freshness at ${time(generatedAt)}. *From the tables of imports and exchanges.*`,
          '',
          ...table(
            ['Bank', 'List', 'Last import', '>Age', 'Now'],
            lists.freshness.map((row) => [
              row.bank,
              row.source ?? '(not named)',
              row.lastImport === null ? 'never finished' : time(row.lastImport),
              row.ageSeconds === null ? '' : span(row.ageSeconds),
              row.waiting ? 'an import is on its way, or it waits for a person' : '',
            ]),
          ),
        ]),
    '',
    ...(lists.imported.length === 0
      ? ['Nothing was imported in the period.']
      : [
          'Imported in the period. *From the ledger.*',
          '',
          ...table(
            ['Bank', '>Added', '>Removed'],
            lists.imported.map((row) => [bankName(row), figure(row.added), figure(row.removed)]),
          ),
        ]),
  ]
}

export function changesText({ changes }: ComplianceReport): string[] {
  return [
    '## What the log recorded',
    '',
    'Every entry of the period, by type. *From the ledger.*',
    '',
    ...(changes.counts.length === 0
      ? ['There is no entry in the period.']
      : table(
          ['', 'Type', '>Entries'],
          changes.counts.flatMap(({ group, types }) =>
            types.map(({ type, entries }, index) => [
              index === 0 ? group : '',
              type,
              figure(entries),
            ]),
          ),
        )),
    '',
    '### Changes of banks, policies, modes, lists, keys, stops and holds',
    '',
    ...(changes.told.length === 0
      ? ['Nothing was changed.']
      : table(
          ['>Entry', 'When', 'Who', 'Type', 'Bank', 'What'],
          changes.told.map((row) => [
            String(row.seq),
            time(new Date(row.at)),
            row.principal === null ? 'system' : `p${row.principal}`,
            row.type,
            row.bank === null ? '' : bankName({ bank: row.bank, name: row.bankName }),
            row.what,
          ]),
        )),
    ...(changes.notTold === 0
      ? []
      : [
          '',
          `And ${figure(changes.notTold)} more: \`ledger log --since … --until …\` lists them.`,
        ]),
  ]
}
