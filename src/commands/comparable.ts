// What people name to be compared: a file, a signal in hex, a blob CID. All become signals, as a scan has them.
import { existsSync } from 'node:fs'
import { storedScan } from '../cases/explain-blob.ts'
import type { Database } from '../db/client.ts'
import { signalDigits } from '../domain/blob.ts'
import type { Signals, SignalType } from '../domain/blob.ts'
import { blobDigest } from '../domain/cid.ts'
import { UsageError } from '../domain/errors.ts'
import type { Hasher } from '../domain/ports.ts'
import { signalsOf } from '../domain/stored-signals.ts'
import type { Io } from './io.ts'
import { hashFile, withHasher } from './read-blob.ts'

/** A signal of another type has no sha256: it is the empty text there. */
export type Comparable = { what: string; signals: Signals; unscannable?: string; cid?: string }

/** Each of them, in their order. The decoder is started only where there is a file. */
export async function readComparables(
  io: Io,
  db: Database,
  names: readonly string[],
  type: SignalType | undefined,
): Promise<Comparable[]> {
  const read = async (hasher: Hasher | undefined) => {
    const all: Comparable[] = []
    for (const what of names) {
      if (hasher !== undefined && isFile(what)) all.push(await ofFile(io, hasher, what))
      else if (blobDigest(what) !== undefined) all.push(await ofCid(db, what))
      else all.push(ofHex(what, type))
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
  return {
    what: file,
    signals: 'signals' in hashed ? hashed.signals : { sha256: '' },
    ...(hashed.unscannable !== undefined && { unscannable: hashed.unscannable }),
  }
}

/** A stored blob has all that its scan computed; another one only its name. */
async function ofCid(db: Database, what: string): Promise<Comparable> {
  const cid = blobDigest(what) as string
  const scan = await storedScan(db, cid)
  return { what, cid, signals: scan === undefined ? { sha256: cid } : signalsOf(cid, scan.signals) }
}

/** 64 digits may be a sha256 or a PDQ hash: both, unless `type` says which. Turns of a PDQ hash are looked at too. */
function ofHex(what: string, type: SignalType | undefined): Comparable {
  const value = what.toLowerCase()
  const fits = (one: SignalType) =>
    (type === undefined || type === one) && value.length === signalDigits[one]
  const types = (Object.keys(signalDigits) as SignalType[]).filter(fits)
  if (!/^[0-9a-f]+$/.test(value) || types.length === 0) {
    const wanted = type === undefined ? '' : ` of type ${type}`
    throw new UsageError(`${what} is neither a file nor a signal${wanted} in hex nor a blob CID`)
  }
  const stored = {
    pdq: fits('pdq') ? value : null,
    quality: 100,
    md5: fits('md5') ? value : null,
    sha1: fits('sha1') ? value : null,
    variants: [],
  }
  return {
    what,
    signals: {
      ...signalsOf(fits('sha256') ? value : '', stored),
      ...(fits('clip') && { clip: value }),
    },
  }
}
