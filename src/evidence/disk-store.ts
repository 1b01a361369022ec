// Evidence on a disk: one file an object, in 256 folders, for the service's user alone.
//
// Promises: what put() returned for is on the disk (file and folder are synced) and whole (written beside, then renamed);
// a link in the place of a file is not followed. A crash leaves at most NAME.age.part, which goes with remove(NAME).
import { constants } from 'node:fs'
import { lstat, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { PermanentError, RetryableError } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import { evidenceLimits } from './limits.ts'
import { checkObjectName } from './object-name.ts'

const { O_CREAT, O_NOFOLLOW, O_RDONLY, O_TRUNC, O_WRONLY } = constants
const fileMode = 0o600
const folderMode = 0o700

export function createDiskStore(options: { dir: string; objectBytesMax?: number }): EvidenceStore {
  const root = resolve(options.dir)
  const bytesMax = options.objectBytesMax ?? evidenceLimits.objectBytesMax
  const pathOf = (name: string) => join(root, checkObjectName(name).slice(0, 2), `${name}.age`)
  return {
    kind: 'disk',
    async put(name, bytes, signal) {
      const path = pathOf(name)
      if (bytes.length > bytesMax) throw new PermanentError('larger than an evidence file may be')
      await sorted('write', async () => {
        signal.throwIfAborted()
        await makeFolder(root, dirname(path))
        await writeWhole(path, bytes)
      })
    },
    async get(name) {
      const path = pathOf(name)
      return orNone('read', () => readWhole(path, bytesMax))
    },
    async has(name) {
      const path = pathOf(name)
      return orNone('look at', async () => {
        const found = await lstat(path)
        if (!found.isFile()) throw new PermanentError('an evidence object is no plain file')
        return found.size
      })
    },
    async remove(name) {
      const path = pathOf(name)
      await sorted('remove', async () => {
        await rm(`${path}.part`, { force: true })
        await rm(path, { force: true })
        await syncFolder(dirname(path)).catch(ifThere)
      })
      return { versionsKept: false }
    },
  }
}

async function makeFolder(root: string, folder: string): Promise<void> {
  const made = await mkdir(folder, { recursive: true, mode: folderMode })
  if (made === undefined) return
  // A folder is there after a power cut only when the one above it was synced.
  for (const one of [folder, root, dirname(root)]) await syncFolder(one)
}

async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = `${path}.part`
  try {
    const file = await open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, fileMode)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(part, path)
  } catch (error) {
    await rm(part, { force: true }).catch(() => undefined)
    throw error
  }
  await syncFolder(dirname(path))
}

async function readWhole(path: string, bytesMax: number): Promise<Uint8Array> {
  const file = await open(path, O_RDONLY | O_NOFOLLOW)
  try {
    const { size } = await file.stat()
    if (size > bytesMax) throw new PermanentError('larger than an evidence file may be')
    return await file.readFile()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, O_RDONLY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function ifThere(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error
}

async function orNone<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
  return sorted(what, async () => {
    try {
      return await work()
    } catch (error) {
      ifThere(error)
      return undefined
    }
  })
}

/** The system's messages carry the path; only their code goes on. */
async function sorted<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof PermanentError || error instanceof TypeError) throw error
    const code = codeOf(error)
    const told = `could not ${what} evidence on the disk (${code})`
    const isForGood = ['EACCES', 'EPERM', 'ELOOP', 'ENOTDIR', 'EISDIR', 'ENAMETOOLONG']
    throw isForGood.includes(code) ? new PermanentError(told) : new RetryableError(told)
  }
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'unknown'
}
