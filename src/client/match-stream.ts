// Any number of hashes to match, in parts. A part is one request: NDJSON there and back. Bodies are not streamed towards the
// service, because browsers cannot; parts bound the memory just as well, and can be asked again.
import { ConnectionError } from './errors.ts'
import { jsonLines } from './lines.ts'
import type { Call, CallOptions, Requester } from './request.ts'
import type { BatchAnswer, BatchHash, MatchChoice } from './blobwatch-types.ts'

const perPart = 500
const ndjson = 'application/x-ndjson'
const name = 'POST /match/batch'

export async function* matchStream(
  requester: Requester,
  hashes: AsyncIterable<BatchHash> | Iterable<BatchHash>,
  { threshold, banks, ...given }: CallOptions & MatchChoice = {},
): AsyncGenerator<BatchAnswer> {
  const query = { threshold, banks: banks?.join(',') }
  for await (const part of partsOf(hashes)) {
    let answered = 0
    // Failures in a row without a single answer between them.
    let failures = 0
    while (answered < part.length) {
      const before = answered
      try {
        for await (const answer of ask(requester, { part: part.slice(answered), query }, given)) {
          answered += 1
          yield answer
        }
      } catch (error) {
        failures = answered > before ? 1 : failures + 1
        const isBroken = error instanceof ConnectionError && error.fault !== 'bad-answer'
        if (!isBroken || failures > requester.retries) throw error
        await requester.pause(failures - 1, given.signal)
      }
    }
  }
}

/** One answer for each hash; throws when there are more or fewer. */
async function* ask(
  requester: Requester,
  { part, query }: { part: BatchHash[]; query: Call['query'] & {} },
  given: CallOptions,
): AsyncGenerator<BatchAnswer> {
  const lines = part.map((hash) => `${JSON.stringify(hash)}\n`).join('')
  const call: Call = {
    name,
    method: 'POST',
    path: '/api/v1/match/batch',
    query,
    accept: ndjson,
    body: { type: ndjson, make: () => lines },
    repeatable: true,
  }
  let count = 0
  for await (const answer of jsonLines<BatchAnswer>(name, requester.stream(call, given))) {
    count += 1
    if (count > part.length) throw new ConnectionError(name, 'bad-answer')
    yield answer
  }
  if (count < part.length) throw new ConnectionError(name, 'network')
}

async function* partsOf(
  hashes: AsyncIterable<BatchHash> | Iterable<BatchHash>,
): AsyncGenerator<BatchHash[]> {
  let part: BatchHash[] = []
  for await (const hash of hashes) {
    part.push(hash)
    if (part.length < perPart) continue
    yield part
    part = []
  }
  if (part.length > 0) yield part
}
