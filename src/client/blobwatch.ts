// Blobwatch's own API, /api/v1. Every call rejects with ApiError, ConnectionError or the reason of an aborted signal.
import { changes } from './changes.ts'
import type { ChangesOptions } from './changes.ts'
import { formOf, listIn, objectIn } from './exchange.ts'
import { matchStream } from './match-stream.ts'
import { createRequester } from './request.ts'
import type { Call, CallOptions, ClientOptions } from './request.ts'
import type * as Wire from './blobwatch-types.ts'

export type BlobwatchClient = {
  /** The signals of a file. Tried again where it failed on the way: it changes nothing. */
  hash(file: Wire.Upload, options?: CallOptions): Promise<Wire.HashAnswer>
  /** The same for what lies at a public https address, which the service fetches. */
  hashUrl(url: string, options?: CallOptions): Promise<Wire.HashAnswer>
  /** What the banks say about one hash. Hand on the `quality` of a PDQ as /hash gave it. */
  match(question: Wire.Hash & Wire.MatchChoice, options?: CallOptions): Promise<Wire.MatchAnswer>
  /** One answer for each of up to 20,000, in their order. */
  matchBatch(
    hashes: Wire.BatchHash[],
    options?: CallOptions & Wire.MatchChoice,
  ): Promise<Wire.BatchAnswer[]>
  /**
   * As many as there are: they are taken 500 at a time, and an answer is given as soon as its line has come. In the order of
   * the hashes. A part that broke off is asked for the rest of its hashes only.
   */
  matchStream(
    hashes: AsyncIterable<Wire.BatchHash> | Iterable<Wire.BatchHash>,
    options?: CallOptions & Wire.MatchChoice,
  ): AsyncGenerator<Wire.BatchAnswer>
  /** Asks for an action. It is written down, and our own scan or a person decides: `actionState` tells. */
  action(request: Wire.ActionRequest, options?: CallOptions): Promise<Wire.ActionAccepted>
  /** Up to 100; one answer for each, in their order. */
  actions(requests: Wire.ActionRequest[], options?: CallOptions): Promise<Wire.ActionBatchAnswer[]>
  /** How a request of this caller stands; kept for 30 days. */
  actionState(actionId: string, options?: CallOptions): Promise<Wire.ActionState>
  /** Never tried again by itself: each one that arrives is a report. */
  report(request: Wire.ReportRequest, options?: CallOptions): Promise<Wire.ReportAnswer>
  /** Whether every part can work. */
  status(options?: CallOptions): Promise<Wire.Status>
  /** How much this process did, how fast, and how much of it failed. */
  metrics(options?: CallOptions): Promise<Wire.Metrics>
  /** What to do with a blob of an account. */
  blob(name: Wire.BlobName, options?: CallOptions): Promise<Wire.BlobState>
  /** The same for up to 1,000, in their order. */
  blobs(names: Wire.BlobName[], options?: CallOptions): Promise<Wire.BlobState[]>
  /** Until the loop is left or the signal aborts (then with its reason). A lost connection is made anew from the last position. */
  changes(options?: ChangesOptions): AsyncGenerator<Wire.BlobChange>
  /** Any other resource: cases, banks, holds, ledger, explain. `path` begins after /api/v1. */
  get<T>(path: `/${string}`, options?: CallOptions & { query?: Call['query'] }): Promise<T>
  /**
   * Any other change: of a bank, a content, a case. Sent once, and again by itself only with an `idempotencyKey`, where the
   * route takes one (an appeal, a content).
   */
  send<T>(
    method: 'POST' | 'PATCH' | 'DELETE',
    path: `/${string}`,
    options?: CallOptions & { json?: unknown; idempotencyKey?: string | undefined },
  ): Promise<T>
}

export function blobwatchClient(options: ClientOptions): BlobwatchClient {
  const requester = createRequester(options)
  const json = async <T>(call: Call, given?: CallOptions) =>
    objectIn(call, await requester.json({ ...call, path: `/api/v1${call.path}` }, given)) as T
  /** By POST, and yet to be asked twice: it changes nothing, or carries an id of the caller's that makes it one. */
  const question = <T>(path: string, body: unknown, given?: CallOptions) =>
    json<T>({ name: `POST ${path}`, method: 'POST', path, json: body, repeatable: true }, given)
  const read = <T>(name: string, path: string, given?: CallOptions & { query?: Call['query'] }) =>
    json<T>(
      {
        name: `GET ${name}`,
        method: 'GET',
        path,
        repeatable: true,
        ...(given?.query && { query: given.query }),
      },
      given,
    )
  return {
    hash: (file, given) =>
      json(
        {
          name: 'POST /hash',
          method: 'POST',
          path: '/hash',
          body: { make: () => formOf('file', file) },
          repeatable: true,
        },
        given,
      ),
    hashUrl: (url, given) => question('/hash/url', { url }, given),
    match: (one, given) => question('/match', one, given),
    matchBatch: async (hashes, { threshold, banks, ...given } = {}) => {
      const body = { hashes, threshold, banks }
      const answer = await question<{ results: unknown }>('/match/batch', body, given)
      return listIn({ name: 'POST /match/batch' }, answer.results, hashes.length)
    },
    matchStream: (hashes, given) => matchStream(requester, hashes, given),
    action: (request, given) => question('/action', request, given),
    actions: async (actions, given) => {
      const answer = await question<{ results: unknown }>('/action/batch', { actions }, given)
      return listIn({ name: 'POST /action/batch' }, answer.results, actions.length)
    },
    actionState: (id, given) => read('/action/{id}', `/action/${encodeURIComponent(id)}`, given),
    report: (request, given) =>
      json(
        { name: 'POST /report', method: 'POST', path: '/report', json: request, repeatable: false },
        given,
      ),
    status: (given) => read('/status', '/status', given),
    metrics: (given) => read('/status/metrics', '/status/metrics', given),
    blob: ({ did, cid }, given) =>
      read(
        '/blobs/{did}/{cid}',
        // Colons as they are: so the service answers without taking the address apart.
        `/blobs/${encodeURIComponent(did).replaceAll('%3A', ':')}/${encodeURIComponent(cid)}`,
        given,
      ),
    blobs: async (blobs, given) => {
      const answer = await question<{ blobs: unknown }>('/blobs', { blobs }, given)
      return listIn({ name: 'POST /blobs' }, answer.blobs, blobs.length)
    },
    changes: (given) => changes(requester, given),
    get: (path, given) => read('(resource)', path, given),
    send: (method, path, { json: body, idempotencyKey, ...given } = {}) =>
      json(
        {
          ...{ name: `${method} (resource)`, method, path, json: body, idempotencyKey },
          repeatable: idempotencyKey !== undefined,
        },
        given,
      ),
  }
}
