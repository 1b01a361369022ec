// What a list would do to its bank, in words. Lines by their numbers, never by what is on them.
import type { AdmissionResult } from '../banks/admission.ts'
import { listRefusalSentences } from '../banks/list-item.ts'
import type { ImportFacts } from '../roles/import-list.ts'
import { printSeen } from './bank-preview.ts'
import type { Io } from './io.ts'
import { count } from './output.ts'

export function printImport(io: Io, facts: ImportFacts): void {
  const { counts, refused, overLimit, result } = facts
  io.out(
    `${count(counts.staged, 'line')} read: ${counts.adds} to add, ${counts.deletes} to remove, ${counts.unchanged} in the bank already, ${counts.refused} refused.`,
  )
  for (const { reason, lineRefused, count: times, lines } of refused) {
    const what = lineRefused ? count(times, 'line') : `one signal each of ${count(times, 'line')}`
    const more = times > lines.length ? ', …' : ''
    io.out(`  ${what} left out: ${listRefusalSentences[reason]} (line ${lines.join(', ')}${more})`)
  }
  printAdmission(io, result)
  for (const { line, accounts } of overLimit)
    io.out(`  line ${line} alone would match ${accounts} accounts: a second person approves`)
}

export function printAdmission(io: Io, result: AdmissionResult): void {
  const { seen } = result
  if (seen === null) {
    io.out('not compared with what was seen.')
    return
  }
  if (seen.comparedContents < result.contents)
    io.out(
      `${seen.comparedContents} of ${result.contents} items, spread over the list, were compared with what was seen:`,
    )
  if (result.contents === 0) io.out('there was nothing new to compare with what was seen.')
  else printSeen(io, seen)
}
