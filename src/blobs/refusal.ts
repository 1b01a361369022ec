// What a host means by its 4xx. The reference PDS answers 400 for nearly everything and says the rest in `error` and
// `message`; it answers 400 InvalidRequest "Blob not found" for unknown, untethered and taken-down blobs alike.
import type { HostReason } from '../domain/blob.ts'

const inactiveErrors = new Set([
  'RepoTakendown',
  'RepoSuspended',
  'RepoDeactivated',
  'AccountTakedown',
  'AccountDeactivated',
  'AccountSuspended',
])
const notFoundErrors = new Set(['BlobNotFound', 'RecordNotFound', 'RepoNotFound'])

export type Refusal = { status: number; error?: string; message?: string }

export function refusalReason({ status, error = '', message = '' }: Refusal): HostReason {
  if (inactiveErrors.has(error)) return 'account-inactive'
  if (notFoundErrors.has(error) || status === 404 || status === 410) return 'not-found'
  if (error === 'InvalidRequest' && message === 'Blob not found') return 'not-found'
  if (status === 401 || status === 403 || status === 451) return 'refused'
  return 'bad-answer'
}

/** The host denies knowing the account: perhaps it moved and our DID document is old. */
export function deniesAccount({ error }: Refusal): boolean {
  return error === 'RepoNotFound'
}
