// API keys: `mk_<id>_<secret>`. The secret is shown once and only its SHA-256 is kept.
import { hash } from 'node:crypto'
import type { Database } from '../db/client.ts'
import { ask, callStep } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { principalId } from '../steps/withdraw.ts'

/**
 * What a key opens. `scan`: hash. `match:read`: what matches, and nothing of how near: distances let a caller walk towards
 * a bank's hash, so they need `match:distance`. `act`: ask for actions. `admin` has them all.
 */
export const keyScopes = [
  'scan',
  'match:read',
  'match:distance',
  'blob:read',
  'act',
  'report',
  'bank:read',
  'bank:write',
  'case:read',
  'case:decide',
  'ledger:read',
  'export',
  'admin',
] as const
export type KeyScope = (typeof keyScopes)[number]

export type KeyRow = {
  id: string
  name: string
  /** Of a person: what comes with the key is their word. */
  kind: 'service' | 'person'
  scopes: string[]
  /** CIDR; null: from anywhere. */
  networks: string[] | null
  /** null: as the settings say. */
  requestsPerSecond: number | null
  createdAt: Date
  expiresAt: Date | null
  lastUsedAt: Date | null
  revokedAt: Date | null
}

export const secretBytes = 32
export const idBytes = 6

/** `random`: `idBytes` + `secretBytes` fresh random bytes. The id is hex, so that the parts come apart again. */
export function makeKey(random: Buffer): { id: string; key: string; secretSha256: string } {
  if (random.length !== idBytes + secretBytes) throw new TypeError('a key needs 38 random bytes')
  const id = random.subarray(0, idBytes).toString('hex')
  const secret = random.subarray(idBytes).toString('base64url')
  return { id, key: `mk_${id}_${secret}`, secretSha256: hashSecret(secret) }
}

/**
 * The id of a key that a person names: by its id, or by the whole key, whose secret is left behind here. Throws UsageError
 * without repeating it.
 */
export function parseKeyId(named: string): string {
  const [, id] = /^(?:mk_)?([0-9a-f]{12})(?:_[A-Za-z0-9_-]*)?$/i.exec(named.trim()) ?? []
  if (id === undefined)
    throw new UsageError('a key is named by its id, 12 hex digits: key list shows it')
  return id.toLowerCase()
}

export function hashSecret(secret: string): string {
  return hash('sha256', secret, 'hex')
}

/** The service of that name, registered at its first key. Throws UsageError when the name is a person's. */
export async function serviceNamed(db: Database, name: string, nowMs: number): Promise<number> {
  const { id, kind } = await registered(db, 'service', name, nowMs)
  if (kind === 'service') return id
  throw new UsageError(`${name} is a ${kind} here: give the key's service a name of its own`)
}

/** The person of that name: what comes with the key is their word. Throws UsageError when the name is a service's. */
export async function personNamed(db: Database, name: string, nowMs: number): Promise<number> {
  const { id, kind } = await registered(db, 'person', name, nowMs)
  if (kind === 'person') return id
  throw new UsageError(`${name} is a ${kind} here, not a person`)
}

async function registered(
  db: Database,
  wanted: 'person' | 'service',
  name: string,
  nowMs: number,
): Promise<{ id: number; kind: string }> {
  const id = await principalId(db, { kind: wanted, name, nowMs })
  const [row] = await ask(
    'read the principal',
    db<{ kind: string }[]>`select kind from principal where id = ${id}`,
  )
  return { id, kind: row?.kind ?? 'stranger' }
}

export async function listKeys(
  db: Database,
  options: { limit: number; offset: number },
): Promise<KeyRow[]> {
  return ask(
    'list the keys',
    db<KeyRow[]>`
      select k.id, p.name, p.kind, k.scopes, k.networks, k.requests_per_second as "requestsPerSecond", k.created_at as "createdAt", k.expires_at as "expiresAt",
        k.last_used_at as "lastUsedAt", k.revoked_at as "revokedAt"
      from api_key k join principal p on p.id = k.principal
      order by k.revoked_at is not null, k.created_at desc, k.id limit ${options.limit} offset ${options.offset}`,
  )
}

/** Throws UsageError when there is no live key of that id to revoke. */
export async function changeKey(
  db: Database,
  input: { principal: number; nowMs: number } & (
    | {
        op: 'create'
        id: string
        secretSha256: string
        scopes: KeyScope[]
        owner: number
        networks?: string[]
        requestsPerSecond?: number
        expiresAtMs?: number
      }
    | { op: 'revoke'; id: string }
  ),
): Promise<void> {
  const { nowMs, ...rest } = input
  const expires = 'expiresAtMs' in input ? input.expiresAtMs : undefined
  await callStep(db, 'change_key_v1', {
    ...rest,
    ...(expires !== undefined && { expiresAt: new Date(expires) }),
    now: new Date(nowMs),
  })
}

export type StoredKey = {
  id: string
  secretSha256: Buffer
  principal: number
  kind: string
  name: string
  scopes: string[]
  networks: string[] | null
  requestsPerSecond: number | null
  expiresAt: Date | null
  revokedAt: Date | null
}

/** As whoever checks a key needs it; undefined: there is none of that id. */
export async function readKey(db: Database, id: string): Promise<StoredKey | undefined> {
  const [row] = await ask(
    'read a key',
    db<StoredKey[]>`
      select k.id, k.secret_sha256 as "secretSha256", k.principal, p.kind, p.name, k.scopes, k.networks,
        k.requests_per_second as "requestsPerSecond", k.expires_at as "expiresAt", k.revoked_at as "revokedAt"
      from api_key k join principal p on p.id = k.principal where k.id = ${id}`,
  )
  return row
}

export async function tellUsed(db: Database, ids: string[], nowMs: number): Promise<void> {
  await callStep(db, 'used_keys_v1', { ids, now: new Date(nowMs) })
}
