// The load generator of `rest`: a process of its own, which asks and measures.
import { createHash } from 'node:crypto'
import autocannon from 'autocannon'
import { blobCidOf } from '../src/domain/cid.ts'
import { didOf } from '../src/testing/did-of.ts'
import { helperInput, tellReady } from './helper-process.ts'

export type RestLoad = {
  url: string
  key: string
  pairs: number
  connections: number
  /** Requests a second, of all connections together; absent: as many as there are answers. */
  rate?: number
  seconds: number
  warmUpSeconds: number
}
export type RestMeasured = {
  perSecond: number
  p50Ms: number
  p99Ms: number
  failed: number
  /** Warm-up included. */
  requests: number
}

if (import.meta.main) tellReady(await measure(helperInput() as RestLoad))

async function measure(input: RestLoad): Promise<RestMeasured> {
  const paths = Array.from({ length: input.pairs }, (_, n) => pathOf(n))
  const run = (duration: number) =>
    autocannon({
      url: input.url,
      connections: input.connections,
      duration,
      ...(input.rate !== undefined && { overallRate: input.rate }),
      headers: { authorization: `Bearer ${input.key}` },
      requests: [
        {
          method: 'GET',
          setupRequest: (request) => ({
            ...request,
            path: paths[Math.floor(Math.random() * paths.length)]!,
          }),
        },
      ],
    })
  const warmUp = await run(input.warmUpSeconds)
  const { requests, latency, errors, timeouts, non2xx } = await run(input.seconds)
  return {
    perSecond: requests.average,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
    failed: errors + timeouts + non2xx,
    requests: warmUp.requests.total + requests.total,
  }
}

/** The n-th blob's bytes are the text `blob n`: the bench's database has the even ones. */
function pathOf(n: number): string {
  const digest = createHash('sha256').update(`blob ${n}`).digest('hex')
  return `/api/v1/blobs/${didOf(n % 10_000)}/${blobCidOf(digest)}`
}
