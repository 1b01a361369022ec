// Who signs the ledger's heads, and who outside holds them.
import { stat } from 'node:fs/promises'
import { FatalError, RetryableError, UsageError, errorMessage } from '../../domain/errors.ts'
import { createAccount } from '../../ledger/anchor/account.ts'
import { createTimestampAnchor } from '../../ledger/anchor/timestamp.ts'
import { createWitnessAnchor } from '../../ledger/anchor/witness-client.ts'
import { formatCheckpoint } from '../../ledger/note/checkpoint.ts'
import { parseVerifierKey } from '../../ledger/note/key.ts'
import type { VerifierKey } from '../../ledger/note/key.ts'
import { formatNote } from '../../ledger/note/note.ts'
import type { PolicyWitness } from '../../ledger/note/policy.ts'
import { makeSignerKey } from '../../ledger/note/signer-key.ts'
import { nextLogName } from '../../ledger/log-name.ts'
import { headsFolder, signerKeyFile } from '../../ledger/signer/open-signer.ts'
import type { LedgerSigner } from '../../ledger/signer/signer.ts'
import { emptyRoot } from '../../ledger/tree/hash.ts'
import { findSigner } from '../find-signer.ts'
import { checkLimits, fail, note, ok, skip, warn } from './check.ts'
import type { Check, DoctorContext, Finding } from './check.ts'

export const ledgerChecks: Check[] = [
  { id: 'ledger-signer', group: 'ledger', run: signerAnswers },
  { id: 'ledger-signer-files', group: 'ledger', run: signerFiles },
  { id: 'ledger-witnesses', group: 'ledger', online: true, run: witnesses },
  { id: 'ledger-record', group: 'ledger', online: true, run: record },
  { id: 'ledger-timestamps', group: 'ledger', online: true, run: timestamps },
]

const pages = 'docs/operating/witnesses.md'

async function signerAnswers({ config }: DoctorContext): Promise<Finding> {
  const { signerSocket } = config.ledger
  try {
    const signer = await findSigner(config)
    const key = signer && parseVerifierKey(await signer.verifierKey())
    if (signer === undefined || key === undefined)
      return note("no signer's key on this machine: it is made at the first start")
    if (typeof key === 'string') return fail(`the signer's key is none: ${key}`)
    if (config.logName !== undefined && key.name !== config.logName)
      return fail(
        `the signer signs for ${key.name}, not for ${config.logName}`,
        'BLOBWATCH_LOG_NAME is the name of the key',
      )
    const head = await newestHead(signer, key.name)
    const line = `the signer's key is ${idOf(key)}, its newest head ${head === undefined ? 'none yet' : `of ${head.size} entries`}`
    return signerSocket === undefined
      ? note(`${line}; it runs in the service, so whoever rules the service rules it`, pages)
      : ok(`${line}; it is a process of its own`)
  } catch (error) {
    if (error instanceof FatalError || error instanceof UsageError) return fail(errorMessage(error))
    if (error instanceof RetryableError)
      return fail(errorMessage(error), `is it running, and may this user open ${signerSocket}?`)
    throw error
  }
}

/** Under the name that the log goes on with, if it was recovered. */
async function newestHead(signer: LedgerSigner, name: string) {
  let head = await signer.head(name)
  for (let log = nextLogName(name); ; log = nextLogName(log)) {
    const later = await signer.head(log)
    if (later === undefined) return head
    head = later
  }
}

async function signerFiles({ config }: DoctorContext): Promise<Finding> {
  if (config.ledger.signerSocket !== undefined) return skip("the signer's files are its own user's")
  const places = [signerKeyFile(config), headsFolder(config)]
  const open: string[] = []
  let found = 0
  for (const place of places) {
    const info = await stat(place).catch(() => undefined)
    if (info === undefined) continue
    found += 1
    if ((info.mode & 0o077) !== 0) open.push(place)
  }
  if (open.length > 0)
    return fail(`open to others: ${open.join(', ')}`, `chmod go= ${open.join(' ')}`)
  return found === 0 ? skip('not made yet') : ok("the signer's key and heads are closed to others")
}

async function witnesses({ config, signal }: DoctorContext): Promise<Finding> {
  const { policy } = config.ledger
  if (policy === undefined)
    return note('no witness holds the heads of this ledger', `BLOBWATCH_LEDGER_POLICY, ${pages}`)
  const signer = await findSigner(config)
  const key = signer && parseVerifierKey(await signer.verifierKey())
  const origin = typeof key === 'object' ? key.name : (config.logName ?? '')
  const asked = policy.witnesses.filter((one) => one.url !== undefined)
  const found = await Promise.all(asked.map((one) => askWitness(one, origin, signal)))
  const away = found.filter((one) => one.state === 'away')
  const silent = found.filter((one) => one.state === 'silent')
  const reached = new Set<VerifierKey>(
    found.filter((one) => one.state !== 'away').map((one) => one.key),
  )
  const names = (of: { name: string }[]) => of.map((one) => one.name).join(', ')
  const rule = `needed: ${policy.quorum}`
  if (!policy.isQuorum(reached))
    return fail(`too few witnesses answer; away: ${names(away) || 'all'} (${rule})`, pages)
  if (away.length > 0) return warn(`away: ${names(away)} (${rule})`, pages)
  if (silent.length > 0)
    return note(
      `all answer; no cosignature by the pinned key is told by ${names(silent)} (${rule})`,
    )
  return asked.length === 0
    ? note('no witness has an address: nobody is asked')
    : ok(`${names(found)} hold heads of ours, by the pinned keys (${rule})`)
}

async function askWitness(
  { name, key, url = '' }: PolicyWitness,
  origin: string,
  signal: AbortSignal,
): Promise<{ name: string; key: VerifierKey; state: 'holds' | 'silent' | 'away' }> {
  const anchor = createWitnessAnchor({ name, key, url, timeoutMs: checkLimits.networkMs })
  try {
    const head = await anchor.newest(origin, signal)
    return { name, key, state: head === undefined ? 'silent' : 'holds' }
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error
    return { name, key, state: 'away' }
  }
}

async function record({ config, signal }: DoctorContext): Promise<Finding> {
  const settings = config.ledger.record
  if (settings === undefined)
    return note('no record of the newest head is written', `BLOBWATCH_LEDGER_RECORD_…, ${pages}`)
  try {
    const account = createAccount({ ...settings, timeoutMs: checkLimits.networkMs })
    await account.signIn(signal)
    return ok('the account of the record takes its app password')
  } catch (error) {
    if (!(error instanceof RetryableError)) throw error
    return fail(
      `the account of the record cannot be used: ${errorMessage(error)}`,
      'compare BLOBWATCH_LEDGER_RECORD_DID and its app password with the account at the PDS',
    )
  }
}

/** A throw-away note is stamped: nothing is kept of it. */
async function timestamps({ config, signal, nowMs }: DoctorContext): Promise<Finding> {
  const { tsaUrl } = config.ledger
  if (tsaUrl === undefined) return skip('BLOBWATCH_LEDGER_TSA_URL is not set')
  const origin = 'doctor'
  const head = { origin, size: 0, root: emptyRoot }
  const text = formatCheckpoint(head)
  const signed = formatNote({ text, signatures: [makeSignerKey(origin, 'log').sign(text, 0)] })
  const anchor = createTimestampAnchor({
    url: tsaUrl,
    timeoutMs: checkLimits.networkMs,
    nowMs: () => nowMs,
  })
  const prove = () => Promise.resolve([])
  const outcome = await anchor.submit({ ...head, note: signed, prove }, signal)
  return outcome.kind === 'anchored'
    ? ok('the time-stamping authority answers with a stamp that holds')
    : fail(`the time-stamping authority: ${outcome.reason}`, 'BLOBWATCH_LEDGER_TSA_URL')
}

function idOf(key: VerifierKey): string {
  return `${key.name}+${key.keyId.toString(16).padStart(8, '0')}`
}
