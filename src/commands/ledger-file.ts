// An exported ledger: JSON Lines, an entry a line: {"seq":0,"bytes":"<hex>","hash":"<hex>"}.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { UsageError } from '../domain/errors.ts'
import { entryBytesMax } from '../ledger/entry.ts'
import type { StoredEntry } from '../ledger/verify.ts'

export function ledgerLine(entry: StoredEntry): string {
  return JSON.stringify({
    seq: entry.seq,
    bytes: entry.bytes.toString('hex'),
    hash: entry.hash.toString('hex'),
  })
}

/** Throws UsageError when the file cannot be read; a bad line is a value with what is wrong. */
export async function* readLedgerFile(
  path: string,
): AsyncGenerator<StoredEntry | { problem: string }> {
  let number = 0
  try {
    for await (const line of createInterface({
      input: createReadStream(path),
      crlfDelay: Infinity,
    })) {
      number += 1
      yield parseLine(line) ?? { problem: `line ${number} is not an entry` }
    }
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause)
      throw new UsageError(`${path} cannot be read`, { cause })
    throw cause
  }
}

function parseLine(line: string): StoredEntry | undefined {
  if (line.length > 3 * entryBytesMax) return undefined
  let document: unknown
  try {
    document = JSON.parse(line)
  } catch {
    return undefined
  }
  const { seq, bytes, hash } = (document ?? {}) as Record<string, unknown>
  const holds =
    Number.isSafeInteger(seq) &&
    typeof bytes === 'string' &&
    /^([0-9a-f]{2})+$/.test(bytes) &&
    typeof hash === 'string' &&
    /^[0-9a-f]{64}$/.test(hash)
  if (!holds) return undefined
  return { seq: seq as number, bytes: Buffer.from(bytes, 'hex'), hash: Buffer.from(hash, 'hex') }
}
