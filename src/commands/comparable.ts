// What people name to be compared: a file, a signal in hex, a blob CID. All become signals, as a scan has them.
import { existsSync } from 'node:fs'
import type { Database } from '../db/client.ts'
import type { Hasher } from '../domain/ports.ts'
import { comparableOf } from '../roles/compare-pair.ts'
import type { Comparable, KnownTypes } from '../roles/compare-pair.ts'
import type { Io } from './io.ts'
import { hashFile, whyLess, withHasher } from './read-blob.ts'

/** Each of them, in their order. The decoder is started only where there is a file. */
export async function readComparables(
  io: Io,
  db: Database,
  names: readonly string[],
  known: KnownTypes,
): Promise<Comparable[]> {
  const read = async (hasher: Hasher | undefined) => {
    const all: Comparable[] = []
    for (const what of names) {
      if (hasher !== undefined && isFile(what)) all.push(await ofFile(io, hasher, what))
      else all.push(await comparableOf(db, what, known))
    }
    return all
  }
  return names.some(isFile) ? withHasher(io, read) : read(undefined)
}

function isFile(what: string): boolean {
  return what === '-' || existsSync(what)
}

async function ofFile(io: Io, hasher: Hasher, file: string): Promise<Comparable> {
  const hashed = await hashFile(io, hasher, file)
  const unscannable = whyLess(hashed)
  return {
    what: file,
    signals: 'signals' in hashed ? hashed.signals : { sha256: '' },
    ...(unscannable !== undefined && { unscannable }),
  }
}
