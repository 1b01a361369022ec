// A session with one account on one PDS, by an app password. The password goes to the configured host and nowhere else:
// no redirect is followed, no document is consulted.
import { RetryableError } from '../../domain/errors.ts'
import { textOf } from '../bytes.ts'
import { boundedRequest } from './bounded-request.ts'

export type AccountSettings = { pdsUrl: string; did: string; password: string; timeoutMs?: number }

export type Account = {
  /** The JSON of a query that needs no session. */
  query(method: string, params: Record<string, string>, signal: AbortSignal): Promise<Json>
  /** Begins a session and tells whose it is: whether the password works. */
  signIn(signal: AbortSignal): Promise<string>
  /** The JSON of a procedure as this account; `body` is made with its DID. Begins or renews the session as needed. */
  procedure(method: string, body: (did: string) => Json, signal: AbortSignal): Promise<Json>
}

export type Json = Record<string, unknown>

export const accountLimits = { timeoutMs: 10_000, answerBytes: 1_000_000 } as const

type Session = { did: string; access: string; refresh: string }
type Answer = { status: number; body: Json }

/** All methods throw RetryableError, without anything that the host sent but its status, when the host refuses or is away. */
export function createAccount(settings: AccountSettings): Account {
  let session: Session | undefined

  const ask = async (
    method: string,
    options: {
      params?: Record<string, string>
      body?: Json
      bearer?: string
      signal: AbortSignal
      post?: boolean
    },
  ): Promise<Answer> => {
    const url = new URL(`/xrpc/${method}`, settings.pdsUrl)
    for (const [name, value] of Object.entries(options.params ?? {}))
      url.searchParams.set(name, value)
    const answer = await boundedRequest({
      url: url.href,
      method: options.post === true ? 'POST' : 'GET',
      headers: {
        accept: 'application/json',
        ...(options.body && { 'content-type': 'application/json' }),
        ...(options.bearer !== undefined && { authorization: `Bearer ${options.bearer}` }),
      },
      ...(options.body && { body: JSON.stringify(options.body) }),
      bytesMax: accountLimits.answerBytes,
      timeoutMs: settings.timeoutMs ?? accountLimits.timeoutMs,
      signal: options.signal,
    })
    return { status: answer.status, body: parse(answer.bytes) }
  }

  const begin = async (signal: AbortSignal): Promise<Session> => {
    const body = { identifier: settings.did, password: settings.password }
    const method = 'com.atproto.server.createSession'
    return sessionOf(method, await ask(method, { body, signal, post: true }))
  }

  const renew = async (old: Session, signal: AbortSignal): Promise<Session> => {
    const method = 'com.atproto.server.refreshSession'
    const answer = await ask(method, { bearer: old.refresh, signal, post: true })
    // A refresh token that is too old as well: from the beginning.
    return answer.status < 500 && answer.status !== 200
      ? await begin(signal)
      : sessionOf(method, answer)
  }

  return {
    async signIn(signal) {
      session = await begin(signal)
      return session.did
    },
    async query(method, params, signal) {
      const answer = await ask(method, { params, signal })
      return sound(method, answer)
    },
    async procedure(method, body, signal) {
      session ??= await begin(signal)
      const send = ({ did, access }: Session) =>
        ask(method, { body: body(did), bearer: access, signal, post: true })
      let answer = await send(session)
      if (isExpired(answer)) {
        const old = session
        session = undefined
        session = await renew(old, signal)
        answer = await send(session)
      }
      return sound(method, answer)
    },
  }
}

function sound(method: string, { status, body }: Answer): Json {
  if (status !== 200) throw new RetryableError(`${method} was answered ${status}`)
  return body
}

function sessionOf(method: string, answer: Answer): Session {
  const { did, accessJwt, refreshJwt } = sound(method, answer)
  if (typeof did !== 'string' || typeof accessJwt !== 'string' || typeof refreshJwt !== 'string')
    throw new RetryableError(`${method} was answered without a session`)
  return { did, access: accessJwt, refresh: refreshJwt }
}

/** The reference PDS says 400 with a name, others 401. */
function isExpired({ status, body }: Answer): boolean {
  const { error } = body
  return (
    status === 401 || (status === 400 && (error === 'ExpiredToken' || error === 'InvalidToken'))
  )
}

function parse(bytes: Uint8Array): Json {
  try {
    const value: unknown = JSON.parse(textOf(bytes) ?? '')
    return typeof value === 'object' && value !== null ? (value as Json) : {}
  } catch {
    // A proxy's page has no fields.
    return {}
  }
}
