// HMA's banks, contents and exchanges come into ours, with their numbers. Said again it brings over what changed since.
//
// Promises: nothing is written in HMA; nothing is written here before all that can be in the way was looked for. Constant
// memory, a page at a time. Killed at any moment, the same call goes on where it was. What HMA changed since the last time
// is changed here; what it left alone stays as people here made it; what somebody removed here stays removed.
// Assumes one import at a time (the command's lock); a page that another brought in first is noticed.
import { credentialContext } from '../banks/exchange-credentials.ts'
import type { BegunBank, BegunExchange } from '../banks/hma-steps.ts'
import {
  applyHmaPage,
  beginHmaImport,
  contentIdMax,
  countOurs,
  endHmaImport,
  hmaNumbersAtOnce,
  hmaBanksRemovedHere,
  hmaImportTotals,
  hmaRoom,
  knownHmaBanks,
  lastHmaImport,
  numbersTaken,
} from '../banks/hma-steps.ts'
import { askHma, examineHma } from '../banks/hma-database.ts'
import type { HmaFacts } from '../banks/hma-database.ts'
import {
  countHma,
  hmaRowLimits,
  readHmaBanks,
  readHmaCredentials,
  readHmaExchanges,
  readHmaPage,
  readHmaSignalTypes,
} from '../banks/hma-rows.ts'
import type { HmaBank, HmaCounts, HmaExchange, HmaRow } from '../banks/hma-rows.ts'
import { storableJson } from '../banks/hma-content.ts'
import { createPageMaker } from '../banks/hma-pages.ts'
import { parsePolicy } from '../banks/bank-policy.ts'
import type { Database } from '../db/client.ts'
import { bankNamePattern, policyDefaults } from '../domain/bank.ts'
import type { BankClass, Mode } from '../domain/bank.ts'
import { RetryableError, UsageError } from '../domain/errors.ts'
import type { DataKey } from '../ledger/seal.ts'
import { stopIfAsked } from './stop-if-asked.ts'

export type HmaImportOptions = {
  db: Database
  hma: Database
  mode: Mode
  class: BankClass
  /** Exchanges fetch here from now on, where they did in HMA. */
  exchangesOn: boolean
  lookBack: boolean
  /** HMA's database was moved or restored: another identity is the same HMA. */
  moved: boolean
  /** Much is gone from HMA, and that is meant. */
  removals: boolean
  deletesPercent: number
  /** undefined: credentials stay in HMA. */
  credentials: DataKey | undefined
  principal: number
  clock: () => number
  onProgress: (done: number, of: number) => void
  signal: AbortSignal
}

export type HmaPlan = {
  facts: HmaFacts
  counts: HmaCounts
  banks: BegunBank[]
  exchanges: BegunExchange[]
  signalTypes: { name: string; ratio: number }[]
  /** Banks and exchanges that stay behind or come in otherwise than they were, in words. */
  remarks: string[]
}

/** Reads all but the contents, and looks for what is in the way. Throws UsageError with a sentence; writes nothing. */
export async function planHmaImport(options: HmaImportOptions): Promise<HmaPlan> {
  const { db, hma } = options
  const facts = await examineHma(hma)
  await refuseOther(options, facts)
  const counts = await countHma(hma)
  if (counts.lastContent + hmaRoom > contentIdMax)
    throw new UsageError('HMA’s numbers are so high that none would be left for new contents')
  await refuseTaken(options, counts)
  await refuseShrunk(options, counts)
  const remarks: string[] = []
  const hmaBanks = await readHmaBanks(hma)
  const hmaExchanges = await readHmaExchanges(hma, facts)
  if (hmaBanks.length > hmaRowLimits.banks || hmaExchanges.length > hmaRowLimits.exchanges)
    throw new UsageError(
      `HMA has more than ${hmaRowLimits.banks} banks or ${hmaRowLimits.exchanges} exchanges`,
    )
  const known = await knownHmaBanks(db)
  for (const id of known.keys())
    if (!hmaBanks.some((bank) => bank.id === id))
      remarks.push(`bank ${id} of HMA is gone there: it stays here, without its contents`)
  const removed = await hmaBanksRemovedHere(db)
  const wanted = hmaBanks.filter(({ id }) => !removed.has(id))
  for (const { id } of hmaBanks)
    if (removed.has(id)) remarks.push(`bank ${id} stays behind: somebody removed it here`)
  const banks = wanted.flatMap((bank) => toBank(bank, options, remarks))
  const taken = new Set(banks.map(({ id }) => id))
  const filled = wanted.filter(({ id }) => taken.has(id))
  const exchanges = hmaExchanges.flatMap((one) => toExchange(one, filled, options, remarks))
  const allTypes = await readHmaSignalTypes(hma)
  const signalTypes = allTypes.filter(({ ratio }) => Number.isFinite(ratio))
  if (signalTypes.length < allTypes.length)
    remarks.push(
      `${allTypes.length - signalTypes.length} ratios of signal types stay behind: they are no numbers`,
    )
  if (facts.unknown.length > 0)
    remarks.push(`columns that are not known stay behind: ${facts.unknown.join(', ')}`)
  if (counts.orphans > 0)
    remarks.push(`${counts.orphans} records of exchanges without a content stay behind`)
  return { facts, counts, banks, exchanges, signalTypes, remarks }
}

async function refuseOther({ db, moved }: HmaImportOptions, { identity }: HmaFacts): Promise<void> {
  const last = await lastHmaImport(db)
  if (last === undefined || last.database === identity || moved) return
  throw new UsageError(
    'the last import came from another database: its contents would be removed here. Where it is the same HMA on another server, say --moved',
  )
}

async function refuseTaken({ db, hma }: HmaImportOptions, counts: HmaCounts): Promise<void> {
  const limit = hmaRowLimits.pageContents
  for (let after = 0; after < counts.lastContent;) {
    const last = Math.min(counts.lastContent, after + hmaNumbersAtOnce)
    const page = await numbersTaken(db, { after, last, limit })
    const [twice] = await askHma(
      'compare the numbers',
      hma<{ count: number; first: number | null }[]>`
        select count(*) as count, min(id) as first from bank_content
        where id in (select n::integer from json_array_elements_text(${JSON.stringify(page)}::text::json) n)`,
    )
    if (twice !== undefined && twice.count > 0)
      throw new UsageError(
        `content ${twice.first} is here already and did not come from HMA, and so are others: HMA’s contents keep their numbers, so they come into a database that has none of its own there`,
      )
    after = page.length < limit ? last : (page.at(-1) ?? last)
  }
}

/** An HMA that was emptied, or the wrong one, must not empty ours. */
async function refuseShrunk(options: HmaImportOptions, { contents }: HmaCounts): Promise<void> {
  const ours = await countOurs(options.db)
  if (options.removals || (ours - contents) * 100 <= ours * options.deletesPercent) return
  throw new UsageError(
    `HMA has ${contents} contents and ${ours} came from it before: more than ${options.deletesPercent}% would be removed here. Where that is meant, say --removals`,
  )
}

function toBank(bank: HmaBank, options: HmaImportOptions, remarks: string[]): BegunBank[] {
  if (!bankNamePattern.test(bank.name) || bank.name.length > 255) {
    remarks.push(`bank ${bank.id} stays behind: its name is none that HMA's API or ours takes`)
    return []
  }
  const given = bank.ratio ?? 1
  const ratio = Number.isNaN(given) ? 1 : Math.min(1, Math.max(0, given))
  if (ratio !== given) remarks.push(`bank ${bank.id}: its ratio is ${ratio} here, HMA has ${given}`)
  const confidential = bank.exchange !== null
  const bankClass = confidential ? 'restricted' : options.class
  const policy = parsePolicy({ ...policyDefaults, ratio }, bankClass)
  return [{ id: bank.id, name: bank.name, ratio, class: bankClass, confidential, policy }]
}

function toExchange(
  exchange: HmaExchange,
  banks: HmaBank[],
  options: HmaImportOptions,
  remarks: string[],
): BegunExchange[] {
  const bank = banks.find((one) => one.exchange === exchange.id)
  if (bank === undefined) {
    remarks.push(`exchange ${exchange.id} stays behind: it has no bank here`)
    return []
  }
  const [config, checkpoint] = [exchange.config, exchange.checkpoint].map(parseStorable)
  const isName = [exchange.name, exchange.api].every((name) => exchangeName.test(name))
  if (exchange.isTooLong || !isName || config === 'unstorable' || checkpoint === 'unstorable') {
    remarks.push(
      `exchange ${exchange.id} stays behind: its name, configuration or checkpoint cannot be kept`,
    )
    return []
  }
  const { id, name, api, checkpointTs, fetchedItems, kept, status } = exchange
  const fetching = exchange.enabled !== false
  return [
    {
      id,
      name,
      bank: bank.id,
      api,
      config: config ?? {},
      enabled: options.exchangesOn && fetching,
      checkpoint: checkpoint ?? null,
      checkpointTs,
      fetchedItems,
      kept: { ...kept, status, fetching, isOn: options.exchangesOn },
    },
  ]
}

const exchangeName = /^\P{Cc}{1,255}$/u

function parseStorable(text: string | null): unknown {
  const stored = storableJson(text, { any: false })
  if (stored === 'unstorable') return stored
  return stored.json === undefined ? undefined : (JSON.parse(stored.json) as unknown)
}

export type HmaImported = Awaited<ReturnType<typeof hmaImportTotals>> & {
  looksBack: boolean
  resumedAfter: number | undefined
  /** Contents that somebody removed here, and that HMA still has. */
  removedHere: number
  /** How many were sealed; undefined: they stayed in HMA. */
  credentials: number | undefined
}

/** Does what was planned. The counts are of the whole run, however many calls it took. */
export async function runHmaImport(options: HmaImportOptions, plan: HmaPlan): Promise<HmaImported> {
  const { db, clock, principal } = options
  const credentials = await sealedCredentials(options)
  const begun = await beginHmaImport(db, {
    database: plan.facts.identity,
    version: plan.facts.version,
    lastContent: plan.counts.lastContent,
    mode: options.mode,
    banks: plan.banks,
    exchanges: plan.exchanges,
    signalTypes: plan.signalTypes,
    credentials,
    principal,
    nowMs: clock(),
  })
  const bankOf = await knownHmaBanks(db)
  const here = new Set(plan.banks.map(({ id }) => id))
  const maker = createPageMaker({
    db,
    bankOf: (id) => (here.has(id) ? bankOf.get(id) : undefined),
    exchangeOf: exchangeNames(plan),
  })
  for await (const { rows, after } of readAhead(options, plan, begun.through)) {
    for await (const page of maker.pages(rows, after)) {
      const isOurs = await applyHmaPage(db, {
        ...page,
        import: begun.import,
        principal,
        nowMs: clock(),
      }).catch(goesOn)
      if (!isOurs) throw new RetryableError('another import from HMA runs as well: one is enough')
    }
    options.onProgress(rows.at(-1)?.id ?? plan.counts.lastContent, plan.counts.lastContent)
  }
  const looksBack = await endHmaImport(db, {
    import: begun.import,
    lookBack: options.lookBack,
    principal,
    nowMs: clock(),
  }).catch(goesOn)
  return {
    ...(await hmaImportTotals(db, begun.import)),
    looksBack,
    resumedAfter: begun.resumed ? begun.through : undefined,
    removedHere: maker.removedHere(),
    credentials: options.credentials === undefined ? undefined : credentials.length,
  }
}

/** Our own database was away: a person at night wants to know what to do now. */
function goesOn(error: unknown): never {
  if (!(error instanceof RetryableError)) throw error
  throw new RetryableError(`${error.message}; the same command goes on where it was`, {
    cause: error,
  })
}

/** The same as `runHmaImport` would do, counted and not done. */
export async function countHmaImport(
  options: HmaImportOptions,
  plan: HmaPlan,
): Promise<Pick<HmaImported, 'banks' | 'left' | 'removedHere'>> {
  const known = await knownHmaBanks(options.db)
  const here = new Set(plan.banks.map(({ id }) => id))
  // A bank that is not made yet has HMA's number, below zero.
  const bankOf = (id: number) => (here.has(id) ? (known.get(id) ?? -id) : undefined)
  const maker = createPageMaker({ db: options.db, bankOf, exchangeOf: exchangeNames(plan) })
  for await (const { rows, after } of readAhead(options, plan, 0)) {
    for await (const page of maker.pages(rows, after)) void page
    options.onProgress(rows.at(-1)?.id ?? plan.counts.lastContent, plan.counts.lastContent)
  }
  return { ...maker.totals(), removedHere: maker.removedHere() }
}

function exchangeNames({ exchanges }: HmaPlan): (hmaId: number) => string | undefined {
  const names = new Map(exchanges.map(({ id, name }) => [id, name]))
  return (hmaId) => names.get(hmaId)
}

async function sealedCredentials({
  hma,
  credentials,
}: HmaImportOptions): Promise<{ api: string; sealed: string }[]> {
  if (credentials === undefined) return []
  const found = await readHmaCredentials(hma)
  return found.map(({ api, credentials: plain }) => ({
    api,
    sealed: credentials.seal(credentialContext(api), Buffer.from(plain)),
  }))
}

/** One page is on its way here while the one before is written. The last one may be empty. */
async function* readAhead(
  options: HmaImportOptions,
  plan: HmaPlan,
  from: number,
): AsyncGenerator<{ rows: HmaRow[]; after: number }> {
  const limit = hmaRowLimits.pageContents
  let after = from
  let next = readHmaPage(options.hma, plan.facts, { after, limit })
  for (;;) {
    const rows = await next
    const last = rows.at(-1)?.id
    const isEnd = rows.length < limit || last === undefined
    if (!isEnd) {
      next = readHmaPage(options.hma, plan.facts, { after: last, limit })
      // Whoever stops here does not wait for it.
      next.catch(() => undefined)
    }
    yield { rows, after }
    if (isEnd) return
    stopIfAsked(options.signal)
    after = last
  }
}
