// What the service itself says: banks, ledger, safety.
import { pausesInForce } from '../../cases/pauses.ts'
import { safetyLevels } from '../../cases/safety-levels.ts'
import { unscannableByReason } from '../../cases/unscannable.ts'
import { listBanks } from '../../banks/bank-store.ts'
import { UsageError, errorMessage } from '../../domain/errors.ts'
import { readEntries, readHead, readPrivate } from '../../ledger/read-ledger.ts'
import { createVerifier } from '../../verifier/verify-stored.ts'
import type { OpenDatabase } from '../../service-database.ts'
import { layoutFor } from '../../service-index.ts'
import { findDataKey } from '../data-key.ts'
import { count } from '../output.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { checkpointChecks } from './checkpoint-checks.ts'
import { fail, inDatabase, note, ok, skip, unchecked, warn } from './check.ts'
import { typedAs } from '../typed-as.ts'

export const ledgerTail = 10_000

export const stateChecks: Check[] = [
  { id: 'banks', group: 'banks', run: inDatabase(banks) },
  { id: 'bank-index', group: 'banks', run: inDatabase(bankIndex) },
  { id: 'data-key', group: 'ledger', run: inDatabase(dataKey) },
  { id: 'ledger-tail', group: 'ledger', run: inDatabase(verifyTail) },
  { id: 'ledger-moving', group: 'ledger', run: inDatabase(ledgerMoving) },
  ...checkpointChecks,
  { id: 'mode', group: 'safety', run: ({ config }) => Promise.resolve(mode(config.mode)) },
  { id: 'quotas', group: 'safety', run: inDatabase(quotas) },
  { id: 'paused', group: 'safety', run: inDatabase(paused) },
  { id: 'held', group: 'safety', run: inDatabase(held) },
  { id: 'dead-actions', group: 'safety', run: inDatabase(dead) },
  { id: 'open-gaps', group: 'safety', run: inDatabase(gaps) },
  { id: 'unscannable', group: 'safety', run: inDatabase(unscannable) },
]

async function banks({ app }: OpenDatabase): Promise<Finding> {
  const all = await listBanks(app)
  if (all.length === 0) return note('no bank yet: nothing can match', typedAs('bank create NAME'))
  const signals = all.reduce((sum, bank) => sum + bank.signals, 0)
  const by = (wanted: string) => all.filter((bank) => bank.mode === wanted).length
  const line = `${count(all.length, 'bank')} (${by('observe')} observe, ${by('hold')} hold, ${by('act')} act), ${count(signals, 'signal')}`
  return ok(line)
}

async function bankIndex(
  { app }: OpenDatabase,
  { config, nowMs }: DoctorContext,
): Promise<Finding> {
  const { choice } = await layoutFor({ db: app, config, nowMs })
  const line = `the bank index is in ${choice.layout} on this machine: ${choice.reason}`
  return choice.suffices ? ok(line) : warn(line, 'BLOBWATCH_INDEX in docs/matching.md')
}

async function dataKey({ app }: OpenDatabase, { config }: DoctorContext): Promise<Finding> {
  try {
    const key = await findDataKey(config, app)
    if (key === undefined) return note('no data key on this machine: it is made at the first start')
    return config.dataKeyHex === undefined
      ? note(
          'the data key was made here: without a copy personal values in the ledger can be lost',
          `back up ${config.dataDir}/data.key`,
        )
      : ok('the data key is the one that this database was made with')
  } catch (error) {
    if (error instanceof UsageError) return fail(errorMessage(error))
    throw error
  }
}

async function verifyTail(
  { app }: OpenDatabase,
  { config, signal }: DoctorContext,
): Promise<Finding> {
  const head = await readHead(app)
  if (head === undefined) return skip('no ledger yet')
  const key = await findDataKey(config, app).catch(() => undefined)
  const from = Math.max(0, head.size - ledgerTail)
  let before: Buffer | undefined
  for await (const [entry] of readEntries(app, { from: from - 1, to: from })) before = entry?.hash
  const verifier = createVerifier({
    log: head.log,
    from: before && { seq: from, prev: before.toString('hex') },
  })
  for await (const entries of readEntries(app, { from, to: head.size })) {
    if (signal.aborted) return unchecked('there was no time to verify the newest entries')
    verifier.add(entries, await readPrivate(app, entries, key))
  }
  const report = verifier.end({ size: head.size, hash: head.hash })
  const checked = head.size - from
  return report.faults.length === 0
    ? ok(`the newest ${checked} of ${head.size} entries hold`)
    : fail(
        `the ledger does not hold: ${report.faults.length} faults in the newest ${checked} entries`,
        typedAs('ledger verify'),
      )
}

async function ledgerMoving({ app }: OpenDatabase, { nowMs }: DoctorContext): Promise<Finding> {
  const { intake, intakeOldest, openIntents } = await safetyLevels(app, nowMs)
  const waitMs = intakeOldest === null ? 0 : nowMs - intakeOldest.getTime()
  const line = `${count(intake, 'fact')} on the way to an entry, ${count(openIntents, 'intent')} without a result yet`
  return waitMs > 60_000
    ? warn(
        `${line}; the oldest waits since ${Math.round(waitMs / 60_000)} min`,
        `is the service running? ${typedAs('serve')}`,
      )
    : ok(line)
}

function mode(of: string): Finding {
  return of === 'act'
    ? ok('mode act')
    : note(
        `mode ${of}: ${of === 'observe' ? 'nothing is done' : 'a person decides every match'}`,
        of === 'observe'
          ? `${typedAs('observe report')}, then BLOBWATCH_MODE=hold or act`
          : undefined,
      )
}

async function quotas({ app }: OpenDatabase, { config, nowMs }: DoctorContext): Promise<Finding> {
  const { takedowns, labels } = await safetyLevels(app, nowMs)
  const { takedownsPerDay, labelsPerDay } = config.limits
  const left = [
    Math.max(0, takedownsPerDay - takedowns),
    Math.max(0, labelsPerDay - labels),
  ] as const
  const line = `left in these 24 h: ${left[0]} of ${takedownsPerDay} takedowns, ${left[1]} of ${labelsPerDay} labels`
  return left.includes(0) ? warn(line, typedAs('hold list')) : ok(line)
}

async function paused({ app }: OpenDatabase): Promise<Finding> {
  const pauses = await pausesInForce(app)
  if (pauses.length === 0) return ok('nothing is paused')
  const what = pauses.map((row) => (row.scope === 'all' ? 'all actions' : row.target))
  return warn(`paused: ${what.join(', ')}`, typedAs('resume'))
}

async function held({ app }: OpenDatabase, { nowMs }: DoctorContext): Promise<Finding> {
  const { openCases, held, heldContents } = await safetyLevels(app, nowMs)
  const line = `${count(openCases, 'open case')}, ${count(held, 'held action')}, ${count(heldContents, 'content')} set aside by a flood`
  return openCases + held + heldContents === 0 ? ok(line) : note(line, typedAs('case list'))
}

async function dead({ app }: OpenDatabase, { nowMs }: DoctorContext): Promise<Finding> {
  const { dead } = await safetyLevels(app, nowMs)
  return dead === 0
    ? ok('no action was given up')
    : warn(`${count(dead, 'action')} given up`, typedAs('hold list'))
}

async function gaps({ app }: OpenDatabase, { nowMs }: DoctorContext): Promise<Finding> {
  const { openGaps } = await safetyLevels(app, nowMs)
  return openGaps === 0
    ? ok('no gap is open')
    : warn(count(openGaps, 'open gap'), typedAs('gaps list --open'))
}

async function unscannable({ app }: OpenDatabase): Promise<Finding> {
  const rows = await unscannableByReason(app)
  if (rows.length === 0) return ok('nothing is unscannable')
  const line = rows.map((row) => `${row.reason} ${row.blobs}`).join(', ')
  return note(`unscannable: ${line}`, typedAs('unscannable list'))
}
