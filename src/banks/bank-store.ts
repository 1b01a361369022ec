// Banks and contents in the database: reading for the index, changing for people.
//
// Promises: every change is one statement that raises the generation, writes its ledger intake and, for an added
// content, starts the pass over stored signals.
import { bankClasses, modes, parseBankName, policyDefaults } from '../domain/bank.ts'
import type { Bank, BankClass, BankPolicy, BankSignal, Mode } from '../domain/bank.ts'
import type { Hex, SignalType } from '../domain/blob.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'

export type NewSignal = { type: SignalType; value: Hex; quality?: number }

export const digestDigits = { sha256: 64, md5: 32, sha1: 40, pdq: 64 } as const

export async function listBanks(
  db: Database,
): Promise<(Bank & { contents: number; signals: number })[]> {
  const rows = await ask(
    'list the banks',
    db<BankRow[]>`
      select b.id, b.name, b.mode, b.class, b.confidential, b.policy, b.policy_version,
        (select count(*) from bank_content c where c.bank = b.id and c.removed_at is null) as contents,
        (select count(*) from bank_signal s join bank_content c on c.id = s.content
          where c.bank = b.id and s.state = 'live') as signals
      from bank b order by b.name`,
  )
  return rows.map((row) => ({ ...toBank(row), contents: row.contents, signals: row.signals }))
}

export async function bankNamed(db: Database, name: string): Promise<Bank> {
  const rows = await ask(
    'find the bank',
    db<
      BankRow[]
    >`select id, name, mode, class, confidential, policy, policy_version from bank where name = ${name}`,
  )
  const [row] = rows
  if (row === undefined) throw new UsageError(`bank '${name}' not found`)
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
      policy: input.policy && parsePolicy(input.policy, bank.class),
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
}

export async function addContent(
  db: Database,
  input: { bank: string; signals: NewSignal[]; note?: string; principal: number; nowMs: number },
): Promise<{ content: number; generation: number }> {
  if (input.signals.length === 0) throw new UsageError('a content needs at least one signal')
  const { content, generation } = changed(
    await callStep<ChangedRow[]>(db, 'change_bank_v1', {
      op: 'content.add',
      name: input.bank,
      signals: input.signals.map(parseSignal),
      note: input.note,
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
  return { content: content as number, generation }
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

/** `resume`: a flood set the content aside and a person lets it act again. disableUntilTs as HMA has it (0, 1, unix seconds). */
export async function setContent(
  db: Database,
  input: {
    bank: string
    content: number
    principal: number
    nowMs: number
  } & ({ change: 'resume' } | { change: 'set'; disableUntilTs: number }),
): Promise<void> {
  changed(
    await callStep<ChangedRow[]>(db, 'change_bank_v1', {
      op: `content.${input.change}`,
      name: input.bank,
      content: input.content,
      ...(input.change === 'set' && { disableUntilTs: input.disableUntilTs }),
      principal: input.principal,
      now: new Date(input.nowMs),
    }),
  )
}

/** Throws UsageError with what is wrong; a PDQ hash of a picture that says too little cannot be banked. */
export function parseSignal(signal: NewSignal): NewSignal {
  const digits = digestDigits[signal.type]
  if (digits === undefined) throw new UsageError(`No such signal type ${signal.type}`)
  const value = signal.value.toLowerCase()
  if (value.length !== digits || !/^[0-9a-f]+$/.test(value)) {
    throw new UsageError(`Invalid ${signal.type} signal: ${digits} hex digits are needed`)
  }
  if (signal.type === 'pdq' && signal.quality !== undefined && signal.quality < pdqQualityMin) {
    throw new UsageError(`Invalid pdq signal: quality ${signal.quality} is under ${pdqQualityMin}`)
  }
  return { ...signal, value }
}

function parsePolicy(
  policy: Omit<BankPolicy, 'version'>,
  bankClass: BankClass,
): Omit<BankPolicy, 'version'> {
  if (
    !Number.isInteger(policy.pdqDistanceMax) ||
    policy.pdqDistanceMax < 0 ||
    policy.pdqDistanceMax > 31
  ) {
    throw new UsageError('the PDQ distance of a bank is a whole number from 0 to 31')
  }
  if (policy.label !== undefined && bankClass === 'restricted') {
    throw new UsageError('a restricted bank puts no label on anything')
  }
  if (policy.label !== undefined && !/^[a-z!][a-z0-9-]{0,99}$/.test(policy.label)) {
    throw new UsageError('a label value is lower-case letters, digits and hyphens')
  }
  return policy
}

/** What the index needs of every content that changed after `sinceGeneration` (0: all), with the banks of now. */
export async function readForIndex(db: Database, sinceGeneration: number) {
  const [head] = await ask(
    'read the bank generation',
    db<{ generation: number }[]>`select generation from bank_head`,
  )
  const generation = head?.generation ?? 0
  if (generation === sinceGeneration && sinceGeneration !== 0) return undefined
  const bankRows = await ask(
    'read the banks',
    db<BankRow[]>`select id, name, mode, class, confidential, policy, policy_version from bank`,
  )
  const rows = await ask(
    'read the bank contents',
    db<ContentRow[]>`
      select c.id, c.bank, c.disable_until_ts, c.removed_at is not null as removed,
        coalesce((select jsonb_agg(jsonb_build_object('id', s.id, 'type', s.type, 'value', encode(s.value, 'hex')))
          from bank_signal s where s.content = c.id and s.state = 'live'), '[]') as signals
      from bank_content c
      where ${sinceGeneration} = 0 or c.id in (
        select content from bank_change where generation > ${sinceGeneration} and content is not null)`,
  )
  const banks = new Map(bankRows.map((row) => [row.id, toBank(row)]))
  // A bank made between the two looks, with its first content, comes with the next generation.
  const known = rows.filter((row) => banks.has(row.bank))
  const contents = known.map((row) => ({
    id: row.id,
    bankId: row.bank,
    disableUntilTs: row.disable_until_ts,
    removed: row.removed,
    signals: row.signals.map((signal): BankSignal => ({
      ...signal,
      contentId: row.id,
      bankId: row.bank,
    })),
  }))
  return { generation, banks, contents }
}

type BankRow = {
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
type ContentRow = {
  id: number
  bank: number
  disable_until_ts: number
  removed: boolean
  signals: { id: number; type: SignalType; value: Hex }[]
}
type ChangedRow = { bank: number; content: number | null; generation: number }

function toBank(row: BankRow): Bank {
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
