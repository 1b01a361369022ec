// Takedowns on the one configured PDS (or any service with the same two admin methods), by its admin password.
// A takedown is set, not added: sending it twice is harmless, and a crash in between leaves it sent or not sent,
// which the next status() tells.
//
// What the reference PDS does, held by this room's tests: a CID it never stored is answered 200 and stays unknown;
// a blob's takedown is forgotten when the last record that refers to it is deleted, so the same bytes can be
// uploaded again and need a new action; records are taken down for getRecord only; blobs do not follow a record.
import type { RemoteSubject, SubjectStatus, TakedownPort } from '../domain/ports.ts'
import { adminRequest } from './admin-request.ts'
import type { AdminHost } from './admin-request.ts'
import { NotNowError, RefusedError } from './refusal.ts'

export type PdsTakedownOptions = {
  /** `url`: what the world calls the PDS. `address`: where we reach it, and the only place the password is sent. */
  pair: { url: string; address: string }
  adminPassword: string
  timeoutMs?: number
}

/** Its methods throw RefusedError (permanent) or NotNowError (retryable), see refusal.ts. */
export function createPdsTakedown(options: PdsTakedownOptions): TakedownPort {
  const host: AdminHost = {
    address: options.pair.address,
    adminPassword: options.adminPassword,
    ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
  }
  return {
    status: (subject, signal) => readStatus(host, subject, signal),
    async set(subject, takedown, signal) {
      const body = { subject: subjectBody(subject), takedown }
      await adminRequest(host, { method: 'com.atproto.admin.updateSubjectStatus', body, signal })
    },
  }
}

async function readStatus(
  host: AdminHost,
  subject: RemoteSubject,
  signal: AbortSignal,
): Promise<SubjectStatus> {
  const method = 'com.atproto.admin.getSubjectStatus'
  try {
    const answer = await adminRequest(host, { method, params: subjectParams(subject), signal })
    return parseStatus(answer, subject)
  } catch (error) {
    if (error instanceof RefusedError && error.reason === 'not-found') return { kind: 'not-found' }
    throw error
  }
}

function recordUri(subject: Extract<RemoteSubject, { kind: 'record' }>): string {
  return `at://${subject.did}/${subject.collection}/${subject.rkey}`
}

function subjectBody(subject: RemoteSubject): Record<string, string> {
  switch (subject.kind) {
    case 'blob':
      return {
        $type: 'com.atproto.admin.defs#repoBlobRef',
        did: subject.did,
        cid: subject.blobCid,
      }
    case 'record':
      return {
        $type: 'com.atproto.repo.strongRef',
        uri: recordUri(subject),
        cid: subject.recordCid,
      }
    default:
      return subject satisfies never
  }
}

function subjectParams(subject: RemoteSubject): Record<string, string> {
  switch (subject.kind) {
    case 'blob':
      return { did: subject.did, blob: subject.blobCid }
    case 'record':
      return { uri: recordUri(subject) }
    default:
      return subject satisfies never
  }
}

/** An answer about another subject than the one asked for says nothing about ours. */
function parseStatus(answer: unknown, asked: RemoteSubject): SubjectStatus {
  const { subject, takedown } = fields(answer)
  const about = fields(subject)
  const same =
    asked.kind === 'blob'
      ? about['did'] === asked.did && about['cid'] === asked.blobCid
      : about['uri'] === recordUri(asked)
  if (!same) throw new NotNowError('bad-answer', 'the status is about another subject')
  const { applied, ref } = fields(takedown)
  if (applied !== true) return { kind: 'known', applied: false }
  return { kind: 'known', applied: true, ...(typeof ref === 'string' ? { ref } : {}) }
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
