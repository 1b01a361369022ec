// What the verbs of the vault share: its settings, its store, reasons, and a new file for what is given out.
import { open, rm } from 'node:fs/promises'
import type { EvidenceConfig } from '../config-evidence.ts'
import { PermanentError, UsageError, errorMessage } from '../domain/errors.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { parseWhole } from './parse.ts'
import type { CommandSession } from './session.ts'

export const reasonCharsMax = 2000
const fileMode = 0o600

export function evidenceConfig({ config }: CommandSession): EvidenceConfig {
  if (config.evidence === undefined)
    throw new UsageError(
      'no evidence vault is configured: set BLOBWATCH_EVIDENCE_RECIPIENTS and the settings beside it (docs/evidence.md)',
    )
  return config.evidence
}

export function parseEvidence(text: string): number {
  return parseWhole(text, 'an evidence number', { min: 1, max: Number.MAX_SAFE_INTEGER })
}

export function parseReason(text: string, option: string): string {
  const reason = text.trim()
  if (reason === '' || reason.length > reasonCharsMax || !reason.isWellFormed())
    throw new UsageError(`${option} has 1 to ${reasonCharsMax} characters`)
  return reason
}

/**
 * Makes the file before `bytes` is asked for, so that nothing is noted for a file that cannot be written. It is new, for
 * its owner alone, and goes again when nothing could be written.
 */
export async function writeNewFile(
  file: string,
  bytes: () => Promise<Uint8Array>,
): Promise<number> {
  const handle = await open(file, 'wx', fileMode).catch((cause: unknown) => {
    throw new UsageError(`${file} cannot be written, or exists already`, { cause })
  })
  let isWritten = false
  try {
    const content = await bytes()
    await handle.writeFile(content)
    await handle.sync()
    isWritten = true
    return content.length
  } finally {
    await handle.close()
    if (!isWritten) await rm(file, { force: true })
  }
}

/** What will not be better by trying again is the answer of the command, and bad news. */
export async function orNotOk(io: Io, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof PermanentError)) throw error
    io.err(errorMessage(error))
    io.setExitCode(exitCodes.notOk)
  }
}
