// Banks and contents in the database: reading and changing for people.
//
// Promises: every change is one statement that raises the generation, writes its ledger intake and, for an added
// content, starts the pass over stored signals.
import { noOtherTypes } from '../domain/other-type.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { bankClasses, modes, parseBankName, policyDefaults } from '../domain/bank.ts'
import type { Bank, BankClass, BankPolicy, Mode } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import { recordAdmission } from './admission-store.ts'
import { parsePolicy } from './bank-policy.ts'
import { readBenignSet } from './benign.ts'
import { parseSignal, refusalOf, refusalSentences } from './new-signal.ts'
import type { NewSignal } from './new-signal.ts'

export { parseSignal } from './new-signal.ts'
export type { NewSignal } from './new-signal.ts'

/** `name`: that one alone; each is counted, and a bank may have ten million. */
export async function listBanks(
  db: Database,
  { name }: { name?: string } = {},
): Promise<(Bank & { contents: number; signals: number })[]> {
  const rows = await ask(
    'list the banks',
    db<BankRow[]>`
      select b.id, b.name, b.mode, b.class, b.confidential, b.policy, b.policy_version,
        (select count(*) from bank_content c where c.bank = b.id and c.removed_at is null) as contents,
        (select count(*) from bank_signal s join bank_content c on c.id = s.content
          where c.bank = b.id and s.state = 'live') as signals
      from bank b where b.removed_at is null and (${name ?? null}::text is null or b.name = ${name ?? null})
      order by b.name`,
  )
  return rows.map((row) => ({ ...toBank(row), contents: row.contents, signals: row.signals }))
}

export async function bankNamed(db: Database, name: string): Promise<Bank> {
  const rows = await ask(
    'find the bank',
    db<BankRow[]>`
      select id, name, mode, class, confidential, policy, policy_version from bank
      where name = ${name} and removed_at is null`,
  )
  const [row] = rows
  if (row === undefined) throw new UsageError(`bank '${name}' not found`)
  return toBank(row)
}

/** For what a bank did: also one that was removed, by the name that it has since, and any by its number, `b5`. */
export async function bankOfHistory(db: Database, nameOrNumber: string): Promise<Bank> {
  const [row] = await ask(
    'find a bank, removed or not',
    db<BankRow[]>`
      select id, name, mode, class, confidential, policy, policy_version from bank
      where name = ${nameOrNumber} or 'b' || id = ${nameOrNumber}`,
  )
  if (row === undefined) throw new UsageError(`bank '${nameOrNumber}' not found`)
  return toBank(row)
}

export async function createBank(
  db: Database,
  input: {
    name: string
    mode: Mode
    class: BankClass
    confidential?: boolean
    policy?: Partial<Omit<BankPolicy, 'version'>>
    principal: number
    nowMs: number
  },
): Promise<{ bank: number; generation: number }> {
  const policy = parsePolicy({ ...policyDefaults, ...input.policy }, input.class)
  // Later it may be taken away for a while; a new bank would seem to label, and do nothing.
  if (policy.actions.includes('label') && policy.label === undefined) {
    throw new UsageError(
      input.class === 'restricted'
        ? 'a restricted bank puts no label on anything: leave out the action label'
        : 'the action label needs the label that it puts on records',
    )
  }
  return changed(
    await callStep<ChangedRow[]>(db, 'change_bank_v1', {
      op: 'bank.create',
      name: parseBankName(input.name),
      mode: input.mode,
      class: input.class,
      confidential: input.confidential ?? false,
      policy,
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
}

export async function setBank(
  db: Database,
  input: {
    name: string
    mode?: Mode
    policy?: Omit<BankPolicy, 'version'>
    principal: number
    nowMs: number
  },
): Promise<{ bank: number; generation: number }> {
  const bank = await bankNamed(db, input.name)
  return changed(
    await callStep<ChangedRow[]>(db, 'change_bank_v1', {
      op: 'bank.set',
      name: input.name,
      mode: input.mode,
      policy: input.policy && parsePolicy(input.policy, bank.class, bank.id),
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
}

/**
 * `admission`: of the test that lets exactly these signals in (roles/admit.ts). Without one the signals are tested here,
 * by themselves and against harmless pictures, and not compared with what was seen: no door for people or strangers.
 * Idempotent with an admission: the same one again gives the content that came of it.
 */
export async function addContent(
  db: Database,
  input: {
    bank: string
    signals: NewSignal[]
    /** The types of plug-ins that signals may be of. */
    others?: OtherTypes
    note?: string
    metadata?: object
    provenance?: object
    disableUntilTs?: number
    admission?: number
    principal: number
    nowMs: number
  },
): Promise<{ content: number; generation: number }> {
  if (input.signals.length === 0) throw new UsageError('a content needs at least one signal')
  const { others = noOtherTypes } = input
  const signals = input.signals.map((signal) => parseSignal(signal, others))
  const { content, generation } = changed(
    await callStep<ChangedRow[]>(db, 'change_bank_v1', {
      op: 'content.add',
      name: input.bank,
      signals,
      note: input.note,
      metadata: input.metadata,
      provenance: input.provenance,
      disableUntilTs: input.disableUntilTs,
      admission: input.admission ?? (await admitUnseen(db, { ...input, signals })),
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
  return { content: content as number, generation }
}

async function admitUnseen(
  db: Database,
  input: { bank: string; signals: NewSignal[]; principal: number; nowMs: number },
): Promise<number> {
  const bank = await bankNamed(db, input.bank)
  const refusal = input.signals.map(refusalOf).find((one) => one !== undefined)
  if (refusal !== undefined) throw new UsageError(`refused: ${refusalSentences[refusal]}`)
  if (bank.policy.suppresses === undefined) {
    const benign = await readBenignSet(db, bank.id)
    const isHarmless = input.signals.some((one) => benign.hit(one, bank.policy.pdqDistanceMax))
    if (isHarmless)
      throw new UsageError('a harmless picture would match: a second person is needed')
  }
  return recordAdmission(db, {
    ...input,
    kind: 'content',
    verdict: 'passed',
    result: { contents: 1, refused: {}, harmless: 0, seen: null },
  })
}

export async function removeContent(
  db: Database,
  input: { bank: string; content: number; principal: number; nowMs: number },
): Promise<void> {
  changed(
    await callStep<ChangedRow[]>(db, 'change_bank_v1', {
      op: 'content.remove',
      name: input.bank,
      content: input.content,
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
}

/** A new content in the other bank with the same signals; the old one is removed. Throws UsageError where that may not be. */
export async function moveContent(
  db: Database,
  input: { bank: string; content: number; to: string; principal: number; nowMs: number },
): Promise<number> {
  const { nowMs, ...rest } = input
  const [row] = await callStep<{ content: number }[]>(db, 'move_content_v1', {
    ...rest,
    now: new Date(nowMs),
  })
  if (row === undefined) throw new TypeError('move_content_v1 answers with one row')
  return row.content
}

/**
 * `resume`: a flood set the content aside and a person lets it act again. disableUntilTs as HMA has it (0, 1, unix seconds).
 * `onlyWhenDue`: only a content whose time of being disabled is over; any other stays as it is, also one that is gone.
 */
export async function setContent(
  db: Database,
  input: {
    bank: string
    content: number
    principal: number
    nowMs: number
  } & ({ change: 'resume' } | { change: 'set'; disableUntilTs: number; onlyWhenDue?: boolean }),
): Promise<void> {
  changed(
    await callStep<ChangedRow[]>(db, 'change_bank_v1', {
      op: `content.${input.change}`,
      name: input.bank,
      content: input.content,
      ...(input.change === 'set' && {
        disableUntilTs: input.disableUntilTs,
        onlyWhenDue: input.onlyWhenDue,
      }),
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
}

export type BankRow = {
  id: number
  name: string
  mode: string
  class: string
  confidential: boolean
  policy: Omit<BankPolicy, 'version'>
  policy_version: number
  contents: number
  signals: number
}
type ChangedRow = { bank: number; content: number | null; generation: number }

export function toBank(row: BankRow): Bank {
  const mode = modes.find((known) => known === row.mode)
  const bankClass = bankClasses.find((known) => known === row.class)
  if (mode === undefined || bankClass === undefined)
    throw new TypeError(`bank ${row.id} has an unknown mode or class`)
  return {
    id: row.id,
    name: row.name,
    mode,
    class: bankClass,
    confidential: row.confidential,
    policy: { ...policyDefaults, ...row.policy, version: row.policy_version },
  }
}

function changed(rows: ChangedRow[]): ChangedRow {
  const [row] = rows
  if (row === undefined) throw new TypeError('change_bank_v1 answers with one row')
  return row
}
