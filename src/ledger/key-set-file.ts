// account-keys.key in the data folder: what seals the keys of accounts, one key a line in hex. It is never part of a backup of
// the database or of the data folder: a rotation makes every older copy of `account_key` worthless only if the old keys die.
//
// Promises: a file is there whole or as it was before, also after a power cut; only its owner can read it.
import { readFileSync, statSync } from 'node:fs'
import { mkdir, open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Hex } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'

export function keySetFile(dataDir: string): string {
  return join(dataDir, 'account-keys.key')
}

/** Oldest first; more than one while a rotation is under way. None without a file. */
export function readKeySets(dataDir: string): Hex[] {
  const path = keySetFile(dataDir)
  let text: string
  try {
    if ((statSync(path).mode & 0o077) !== 0)
      throw new UsageError(`${path} can be read by others: chmod 600 ${path}`)
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    if (error instanceof UsageError) throw error
    throw new UsageError(`${path} cannot be read`, { cause: error })
  }
  const keys = text.split('\n').filter(Boolean)
  if (!keys.every((key) => /^[0-9a-f]{64}$/.test(key)))
    throw new UsageError(`${path} is not a key set: each line is 64 hex digits`)
  return keys
}

export async function writeKeySets(dataDir: string, keys: readonly Hex[]): Promise<void> {
  await mkdir(dataDir, { recursive: true })
  const path = keySetFile(dataDir)
  const draft = `${path}.new`
  await writeDurably(draft, 'w', keys.map((key) => `${key}\n`).join(''))
  await rename(draft, path)
  const folder = await open(dataDir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function writeDurably(path: string, flags: string, text: string): Promise<void> {
  const file = await open(path, flags, 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
