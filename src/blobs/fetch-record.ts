// A record as its host serves it now: context that is kept with evidence. It is not verified: what acts on a record asks
// for its proof (record-proof.ts). Never throws for what the other side does; a crash leaves nothing behind.
import type { HostResolver, RecordCopy, RecordReader } from '../domain/ports.ts'
import type { HostAnswer, HostClient } from './host-client.ts'
import { refusalReason } from './refusal.ts'

/** A record of a PDS has 1 MiB at most; what carries a picture has a few KiB. */
const recordBytesMax = 256 * 1024

export function createRecordReader(options: {
  resolver: HostResolver
  /** The blob fetcher's client, which knows the pair and keeps the budgets. */
  client: HostClient
}): RecordReader {
  const { resolver, client } = options
  return async ({ did, collection, rkey, signal }) => {
    const lookup = await resolver.pdsOf(did, { signal })
    if (lookup.kind !== 'found') return { kind: 'none', reason: lookup.reason }
    const url = new URL('/xrpc/com.atproto.repo.getRecord', lookup.pds)
    url.search = new URLSearchParams({ repo: did, collection, rkey }).toString()
    const accept = 'application/json'
    return recordOf(await client.get({ url, bytesMax: recordBytesMax, accept, signal }))
  }
}

function recordOf(answer: HostAnswer): RecordCopy {
  switch (answer.kind) {
    case 'ok': {
      const text = Buffer.from(answer.bytes).toString('utf8')
      const document = parse(text)
      if (document === undefined) return { kind: 'none', reason: 'bad-answer' }
      const { cid } = document
      return { kind: 'record', cid: typeof cid === 'string' ? cid : undefined, json: text }
    }
    case 'refused':
      return { kind: 'none', reason: refusalReason(answer) }
    case 'deferred':
    case 'unavailable':
      return { kind: 'none', reason: answer.reason }
    default:
      return answer satisfies never
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : undefined
  } catch {
    return undefined
  }
}
