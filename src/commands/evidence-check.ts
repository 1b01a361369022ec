// evidence check: every copy that a row counts is in the store and is what was put there; what is destroyed is not.
import type { Command } from 'commander'
import { PermanentError, errorMessage } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import { evidenceObjects } from '../evidence/evidence-rows.ts'
import type { EvidenceObjects } from '../evidence/evidence-rows.ts'
import { openStore } from '../service-vault.ts'
import { fetchCopy } from '../steps/read-evidence.ts'
import { evidenceConfig } from './evidence-session.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { count, printJson, printTable } from './output.ts'
import type { Column } from './output.ts'
import { withSession } from './session.ts'

const pageRows = 100
const progressEvery = 100
/** Shown; the rest is counted. */
const faultsShownMax = 100

type Fault = { evidence: number; copy: 'sealed' | 'working'; fault: string }

export function addEvidenceCheck(command: Command, io: Io): void {
  withExamples(
    command
      .command('check')
      .description(
        'every copy is in the store with its size and hash, and what is destroyed is gone',
      )
      .option('--json', 'print the result as JSON')
      .action((options: { json?: boolean }) => run(io, options)),
    ['evidence check', 'evidence check --json'],
  )
}

async function run(io: Io, options: { json?: boolean }): Promise<void> {
  await withSession(io, async (session) => {
    const store = openStore(evidenceConfig(session))
    const faults: Fault[] = []
    let checked = 0
    let after = 0
    for (;;) {
      const rows = await evidenceObjects(session.db, { after, limit: pageRows })
      for (const row of rows) {
        io.stop.throwIfAborted()
        faults.push(...(await faultsOf(row, store, io.stop)))
        checked += 1
        if (checked % progressEvery === 0) io.err(`${checked} checked`)
      }
      after = rows.at(-1)?.id ?? after
      if (rows.length < pageRows) break
    }
    if (faults.length > 0) io.setExitCode(exitCodes.notOk)
    if (options.json === true) {
      printJson(io, { checked, faults })
      return
    }
    printTable(
      io,
      faults.slice(0, faultsShownMax),
      columns,
      `${count(checked, 'piece')} of evidence, every copy as it was put there.`,
    )
    if (faults.length > 0)
      io.out(`${count(faults.length, 'fault')} in ${count(checked, 'piece')} of evidence`)
  })
}

const columns: Column<Fault>[] = [
  { head: 'evidence', cell: (row) => row.evidence, align: 'right' },
  { head: 'copy', cell: (row) => row.copy },
  { head: 'fault', cell: (row) => row.fault },
]

async function faultsOf(
  row: EvidenceObjects,
  store: EvidenceStore,
  signal: AbortSignal,
): Promise<Fault[]> {
  // Neither there nor gone: the next sweep settles it.
  if (row.going === 'both') return []
  const faults: Fault[] = []
  for (const copy of ['sealed', 'working'] as const) {
    const isThere = copy === 'sealed' ? row.state !== 'destroyed' : row.state === 'kept'
    if (isThere && copy === 'working' && row.going === 'working') continue
    const fault = isThere
      ? await faultOfKept(row[copy], store, signal)
      : (await store.has(row[copy].object, signal)) === undefined
        ? undefined
        : 'it was destroyed and is there'
    if (fault !== undefined) faults.push({ evidence: row.id, copy, fault })
  }
  return faults
}

async function faultOfKept(
  copy: EvidenceObjects['sealed'],
  store: EvidenceStore,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await fetchCopy(store, copy, signal)
    return undefined
  } catch (error) {
    if (error instanceof PermanentError) return errorMessage(error)
    throw error
  }
}
