// The signer of another process, behind its socket. Keeps nothing; every call is one request.
import { request as httpRequest } from 'node:http'
import type { IncomingMessage } from 'node:http'
import { FatalError, PermanentError, RetryableError } from '../../domain/errors.ts'
import { readBody } from './read-body.ts'
import type { LedgerSigner } from './signer.ts'
import {
  asObject,
  formatSignRequest,
  parseHead,
  parseSignAnswer,
  signerLimits,
} from './signer-protocol.ts'
import type { Json } from './signer-protocol.ts'

/** `timeoutMs`: from the call to the last byte of the answer. */
export function createSignerClient(options: { path: string; timeoutMs?: number }): LedgerSigner {
  const timeoutMs = options.timeoutMs ?? signerLimits.requestMs

  const ask = async (target: string, body?: Json): Promise<{ status: number; body: Json }> => {
    const limit = AbortSignal.timeout(timeoutMs)
    let status: number
    let bytes: Buffer | undefined
    try {
      const response = await send(options.path, target, body, limit)
      status = response.statusCode ?? 0
      bytes = await readBody(response, signerLimits.bodyBytes)
      if (bytes === undefined) response.destroy()
    } catch (error) {
      const what = limit.aborted ? `did not answer in ${timeoutMs} ms` : 'does not answer'
      throw new RetryableError(`the signer at ${options.path} ${what}`, { cause: error })
    }
    return { status, body: parseAnswer(bytes, options.path) }
  }

  const about = (what: string, origin: string) => `${what}?origin=${encodeURIComponent(origin)}`

  return {
    async head(origin) {
      const { status, body } = await ask(about('/head', origin))
      if (status !== 200) throw errorOf(status, body)
      return understood(() => parseHead(body))
    },
    async sign(request) {
      const { status, body } = await ask('/sign', formatSignRequest(request))
      if (status !== 200 && status !== 409) throw errorOf(status, body)
      return understood(() => parseSignAnswer(status, body))
    },
    async verifierKey(origin) {
      const { status, body } = await ask(origin === undefined ? '/key' : about('/key', origin))
      if (status !== 200) throw errorOf(status, body)
      return understood(() => {
        if (typeof body['verifierKey'] !== 'string') throw new TypeError('there is no key in it')
        return body['verifierKey']
      })
    },
  }
}

function send(
  socketPath: string,
  path: string,
  body: Json | undefined,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const method = body === undefined ? 'GET' : 'POST'
  const headers = { host: 'signer', 'content-type': 'application/json' }
  const request = httpRequest({ socketPath, path, method, headers, signal, agent: false })
  request.once('response', resolve)
  request.once('error', reject)
  request.end(body === undefined ? undefined : JSON.stringify(body))
  return promise
}

function parseAnswer(bytes: Buffer | undefined, path: string): Json {
  return understood(() => {
    const body = bytes && asObject(JSON.parse(bytes.toString('utf8')))
    if (body === undefined) throw new TypeError(`${path} does not speak as a signer`)
    return body
  })
}

/** What answers there is no signer, or of another build: not final, and nothing was signed that we know of. */
function understood<T>(parse: () => T): T {
  try {
    return parse()
  } catch (cause) {
    throw new RetryableError('the answer is not one of a signer', { cause })
  }
}

function errorOf(status: number, body: Json): Error {
  const reason =
    typeof body['reason'] === 'string' ? body['reason'] : `the signer answered ${status}`
  if (status === 404 || status === 400) return new PermanentError(reason)
  return status === 500 ? new FatalError(reason) : new RetryableError(reason)
}
