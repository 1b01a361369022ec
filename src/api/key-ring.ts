// Keys as callers send them, held against the database: `Authorization: Bearer mk_<id>_<secret>`.
//
// Promises: a revoked or expired key opens nothing a second later in every process; what is compared is a digest, in
// constant time, also where there is no such key; the database is asked once a second for a key, however often it is used.
// While the database is away or says nothing, keys of the last minute go on. The time of last use is written at most once a
// minute.
import { timingSafeEqual } from 'node:crypto'
import { hashSecret } from '../cases/api-keys.ts'
import type { KeyScope, StoredKey } from '../cases/api-keys.ts'
import { inTime } from '../db/client.ts'
import { msSince } from '../domain/ms-since.ts'
import type { Clock } from '../domain/ports.ts'
import type { Access } from './access.ts'
import { parseNetworks } from './networks.ts'
import type { Networks } from './networks.ts'

export const keyRingLimits = {
  freshMs: 1_000,
  staleMs: 60_000,
  /** How long a key that is known waits for the database. */
  readMs: 2_000,
  keysMax: 10_000,
  usedEveryMs: 60_000,
} as const

export type Opened =
  | { kind: 'open'; keyId: string; requestsPerSecond: number | undefined; access: Access }
  | { kind: 'refused'; reason: 'key' | 'network' }

export type KeyRing = AsyncDisposable & {
  /** `header`: of the request, whatever it is. Throws RetryableError when the database is away and the key is not known. */
  open(header: string | undefined, from: { address: string; isForwarded: boolean }): Promise<Opened>
  /** It opened here before and is kept: the database need not be asked whether there is such a key. */
  isKnown(header: string | undefined): boolean
}

/** `readMs`: when the database last answered, or was asked for the first time. */
type Known = {
  askedMs: number
  readMs: number
  key: Promise<Held | undefined>
  /** What opened it. */
  opened?: Buffer | undefined
}
type Held = StoredKey & { bound: Networks | undefined; access: Access }

const shape = /^Bearer mk_([0-9a-f]{12})_([A-Za-z0-9_-]{43})$/i
const nobody = Buffer.alloc(32)

export function createKeyRing(options: {
  clock: Clock
  /** undefined: there is none. */
  read: (id: string) => Promise<StoredKey | undefined>
  used: (ids: string[], nowMs: number) => Promise<void>
  onError: (error: unknown) => void
}): KeyRing {
  const { clock } = options
  const known = new Map<string, Known>()
  const used = new Set<string>()
  const telling = setInterval(() => void tell(), keyRingLimits.usedEveryMs)
  telling.unref()

  const tell = async () => {
    const ids = [...used]
    used.clear()
    if (ids.length === 0) return
    await options.used(ids, clock()).catch((error: unknown) => options.onError(error))
  }
  const lookUp = async (id: string): Promise<Held | undefined> => {
    const before = known.get(id)
    const askedMs = clock()
    if (before !== undefined && msSince(before.askedMs, askedMs) < keyRingLimits.freshMs)
      return before.key
    const key = readAnew(id, before)
    const entry: Known = { askedMs, readMs: askedMs, key, opened: before?.opened }
    entry.key.catch(() => known.delete(id))
    keep(id, entry)
    return entry.key
  }
  const readAnew = async (id: string, before: Known | undefined): Promise<Held | undefined> => {
    try {
      const reading = options.read(id)
      const row = await (before === undefined
        ? reading
        : inTime(reading, 'read a key', keyRingLimits.readMs))
      return row && held(row)
    } catch (error) {
      if (before === undefined || msSince(before.readMs, clock()) > keyRingLimits.staleMs)
        throw error
      const entry = known.get(id)
      if (entry !== undefined) entry.readMs = before.readMs
      return before.key
    }
  }
  const keep = (id: string, entry: Known) => {
    known.delete(id)
    known.set(id, entry)
    for (const oldest of known.keys()) {
      if (known.size <= keyRingLimits.keysMax) break
      known.delete(oldest)
    }
  }
  return {
    isKnown(header) {
      const [, id, secret] = shape.exec(header ?? '') ?? []
      const opened = id === undefined ? undefined : known.get(id.toLowerCase())?.opened
      if (opened === undefined || secret === undefined) return false
      return timingSafeEqual(Buffer.from(hashSecret(secret), 'hex'), opened)
    },
    async open(header, { address, isForwarded }) {
      const [, id, secret] = shape.exec(header ?? '') ?? []
      if (id === undefined || secret === undefined) return { kind: 'refused', reason: 'key' }
      const key = await lookUp(id.toLowerCase())
      const digest = Buffer.from(hashSecret(secret), 'hex')
      const isRight = timingSafeEqual(digest, key?.secretSha256 ?? nobody)
      if (key === undefined || !isRight || !isLive(key, clock()))
        return { kind: 'refused', reason: 'key' }
      const entry = known.get(id.toLowerCase())
      if (entry !== undefined) entry.opened = digest
      if (key.bound !== undefined && (isForwarded || !key.bound.has(address)))
        return { kind: 'refused', reason: 'network' }
      used.add(key.id)
      const requestsPerSecond = key.requestsPerSecond ?? undefined
      return { kind: 'open', keyId: key.id, requestsPerSecond, access: key.access }
    },
    async [Symbol.asyncDispose]() {
      clearInterval(telling)
      await tell()
    },
  }
}

function held(row: StoredKey): Held {
  return {
    ...row,
    bound: row.networks === null ? undefined : parseNetworks(row.networks),
    access: {
      principal: row.principal,
      kind: row.kind,
      name: row.name,
      // Written by `key create`, which knows the scopes; one of a later version opens nothing here.
      scopes: new Set(row.scopes as KeyScope[]),
    },
  }
}

function isLive({ expiresAt, revokedAt }: StoredKey, nowMs: number): boolean {
  return revokedAt === null && (expiresAt === null || nowMs < expiresAt.getTime())
}
