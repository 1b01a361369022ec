// Index files on disk: written under a temporary name, synced, renamed. A reader finds a whole file or none.
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { SignalType } from '../domain/blob.ts'
import { decodeHeader, encodeHeader, headerBytes } from './file-header.ts'
import type { FileHeader } from './file-header.ts'

export type StoredFile = { handle: FileHandle; header: FileHeader }

export type Draft = {
  /** Appends. The bytes may be used again when it resolves. */
  write(bytes: Uint8Array): Promise<void>
  /** Makes it the file of its type; durable on return. */
  finish(header: Omit<FileHeader, 'dataBytes' | 'dataCrc'>): Promise<StoredFile>
  /** Forgets it; nothing after `finish`. */
  discard(): Promise<void>
}

const checkBytes = 1_048_576
/** Temporary names that this process writes to at this moment. */
const inUse = new Set<string>()
let drafts = 0

export async function createDraft(folder: string, type: SignalType): Promise<Draft> {
  await mkdir(folder, { recursive: true })
  await removeLeftovers(folder, type)
  const path = temporaryPath(folder, type)
  inUse.add(path)
  const handle = await open(path, 'wx+', 0o600).catch((error: unknown) => {
    inUse.delete(path)
    throw error
  })
  let dataBytes = 0
  let dataCrc = 0
  let isFinished = false
  return {
    async write(bytes) {
      await writeAll(handle, bytes, headerBytes + dataBytes)
      dataCrc = crc32(bytes, dataCrc)
      dataBytes += bytes.length
    },
    async finish(fields) {
      const header = { ...fields, dataBytes, dataCrc }
      await writeAll(handle, encodeHeader(header), 0)
      await handle.sync()
      await rename(path, pathOf(folder, type))
      isFinished = true
      inUse.delete(path)
      await syncFolder(folder)
      return { handle, header }
    },
    async discard() {
      if (isFinished) return
      inUse.delete(path)
      await handle.close()
      await rm(path, { force: true })
    },
  }
}

/** What is left under such a name by a process that is gone is removed by the next draft of the type. */
export function temporaryPath(folder: string, type: SignalType): string {
  drafts += 1
  return join(folder, `${type}.${process.pid}.${drafts}.tmp`)
}

/** Reads the whole file to check it. Undefined when there is none or when it is torn, foreign or of another version. */
export async function openStored(
  folder: string,
  type: SignalType,
): Promise<StoredFile | undefined> {
  let handle: FileHandle
  try {
    handle = await open(pathOf(folder, type), 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  const header = await checked(handle, type)
  if (header !== undefined) return { handle, header }
  await handle.close()
  return undefined
}

/** Throws when the file ends before the bytes do: nobody may take a short read for an answer. */
export async function readFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let read = 0; read < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, read, bytes.length - read, position + read)
    if (bytesRead === 0) throw new Error(`an index file ended early, at byte ${position + read}`)
    read += bytesRead
  }
}

export async function writeAll(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(
      bytes,
      written,
      bytes.length - written,
      position + written,
    )
    written += bytesWritten
  }
}

async function checked(handle: FileHandle, type: SignalType): Promise<FileHeader | undefined> {
  const { size } = await handle.stat()
  if (size < headerBytes) return undefined
  const bytes = Buffer.alloc(checkBytes)
  await readFully(handle, bytes.subarray(0, headerBytes), 0)
  const header = decodeHeader(bytes, type)
  if (header === undefined || header.dataBytes !== size - headerBytes) return undefined
  let crc = 0
  for (let at = headerBytes; at < size; at += checkBytes) {
    const some = bytes.subarray(0, Math.min(checkBytes, size - at))
    await readFully(handle, some, at)
    crc = crc32(some, crc)
  }
  return crc === header.dataCrc ? header : undefined
}

/** Drafts of processes that are gone. In a container the one before us had our own pid. */
async function removeLeftovers(folder: string, type: SignalType): Promise<void> {
  for (const name of await readdir(folder)) {
    const [, ownType, pid] = /^(\w+)\.(\d+)\.\d+\.tmp$/.exec(name) ?? []
    const path = join(folder, name)
    if (ownType !== type || inUse.has(path)) continue
    if (Number(pid) === process.pid || !isAlive(Number(pid))) await rm(path, { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function pathOf(folder: string, type: SignalType): string {
  return join(folder, `${type}.index`)
}
