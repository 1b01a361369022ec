// Files that are there in whole or not at all, also after the power went: what a promise is kept in.
import { randomUUID } from 'node:crypto'
import { link, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'

const ownerOnly = 0o600

/** On disk, file and folder, when this resolves. One writer a path: callers hold a lock. Rejects with Node's own error. */
export async function replaceDurably(path: string, text: string): Promise<void> {
  const next = `${path}.next`
  await writeSynced(next, text)
  await rename(next, path)
  await syncFolder(dirname(path))
}

/** false: there is one already, and it stays. Never a half-written file under that name, whoever else is at it. */
export async function createDurably(path: string, text: string): Promise<boolean> {
  // Not the process id: two containers on one folder may have the same.
  const next = `${path}.${randomUUID()}.new`
  await writeSynced(next, text)
  try {
    await link(next, path)
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await unlink(next)
  }
  await syncFolder(dirname(path))
  return true
}

async function writeSynced(path: string, text: string): Promise<void> {
  const handle = await open(path, 'w', ownerOnly)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

export function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
