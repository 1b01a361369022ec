// The evidence vault: its keys, its store, its clocks. Nothing is written to it.
import { access, constants, stat } from 'node:fs/promises'
import { listBanks } from '../../banks/bank-store.ts'
import type { EvidenceConfig } from '../../config-evidence.ts'
import { PermanentError, RetryableError, UsageError, errorMessage } from '../../domain/errors.ts'
import { evidenceLevels } from '../../evidence/evidence-rows.ts'
import { newObjectName } from '../../evidence/object-name.ts'
import { recipientOf } from '../../evidence/vault.ts'
import type { OpenDatabase } from '../../service-database.ts'
import { openStore, openVault } from '../../service-vault.ts'
import { count } from '../output.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { fail, inDatabase, note, ok, skip, unchecked, warn } from './check.ts'
import { typedAs } from '../typed-as.ts'

const guide = 'docs/evidence.md'

export const evidenceChecks: Check[] = [
  { id: 'evidence-keys', group: 'safety', run: keys },
  { id: 'evidence-store', group: 'safety', online: true, run: store },
  { id: 'evidence-clocks', group: 'safety', run: inDatabase(clocks) },
]

async function keys({ config }: DoctorContext): Promise<Finding> {
  const { evidence } = config
  if (evidence === undefined) return skip('no evidence vault is configured')
  try {
    openVault(evidence)
  } catch (error) {
    if (error instanceof UsageError) return fail(errorMessage(error), guide)
    throw error
  }
  const line = `sealed for ${count(evidence.recipients.length, 'offline recipient')}`
  if (evidence.serviceKey === undefined)
    return ok(`${line}; the service identity is not here, as it should be where the service runs`)
  return (await recipientOf(evidence.serviceKey)) === evidence.serviceRecipient
    ? note(`${line}; the service identity is here: whoever runs this may open working copies`)
    : fail('BLOBWATCH_EVIDENCE_SERVICE_KEY does not belong to the service recipient', guide)
}

async function store({ config, signal }: DoctorContext): Promise<Finding> {
  const { evidence } = config
  if (evidence === undefined) return skip('no evidence vault is configured')
  if (evidence.store.kind === 'disk') return folder(evidence.store.dir)
  return bucket(evidence, signal)
}

async function folder(dir: string): Promise<Finding> {
  const found = await stat(dir).catch(() => undefined)
  if (found === undefined) return note('the folder for evidence is made with the first evidence')
  if (!found.isDirectory()) return fail('BLOBWATCH_EVIDENCE_DIR is no folder')
  const writable = await access(dir, constants.W_OK).then(
    () => true,
    () => false,
  )
  if (!writable) return fail('the folder for evidence cannot be written to by this user')
  return (found.mode & 0o077) === 0
    ? ok('the folder for evidence is there, closed to others')
    : warn('the folder for evidence is open to others', `chmod 700 ${dir}`)
}

async function bucket(evidence: EvidenceConfig, signal: AbortSignal): Promise<Finding> {
  try {
    // An object that cannot be there: address, key, bucket and right to read are all needed to say so.
    await openStore(evidence).get(newObjectName(), signal)
    return ok('the bucket for evidence answers')
  } catch (error) {
    if (error instanceof PermanentError) return fail(errorMessage(error), guide)
    if (error instanceof RetryableError) return unchecked(errorMessage(error))
    throw error
  }
}

async function clocks({ app }: OpenDatabase, { config, nowMs }: DoctorContext): Promise<Finding> {
  const { kept, sealed, overdue, waiting } = await evidenceLevels(app, nowMs)
  const line = `${count(kept, 'piece')} of evidence with a working copy, ${sealed} sealed only`
  if (config.evidence === undefined) {
    const banks = (await listBanks(app)).filter(
      ({ policy, mode }) => policy.preserve && mode === 'act',
    )
    if (kept + sealed > 0)
      return warn(`${line}, and no vault is configured: their clocks stand still`, guide)
    return banks.length === 0
      ? skip('no evidence vault is configured')
      : note(
          `${count(banks.length, 'bank')} in act asks for evidence and holds: no vault is configured`,
          guide,
        )
  }
  if (overdue > 0)
    return warn(
      `${line}; ${overdue} overdue: a copy should be gone by now`,
      `is the service running? ${typedAs('serve')}`,
    )
  if (waiting > 0)
    return warn(
      `${line}; ${count(waiting, 'blob')} wait for evidence`,
      typedAs('doctor --only safety'),
    )
  return ok(line)
}
