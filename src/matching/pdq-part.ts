// The PDQ index as a part of the bank index: one lookup is made here and now, many at once by other threads that read the
// same memory, so that a batch of thousands neither keeps others waiting nor has to do with one core.
import type { Worker } from 'node:worker_threads'
import type { IndexPart, RowHit } from './index-part.ts'
import { hashBytes } from './layout.ts'
import { createPdqIndex } from './pdq-index.ts'
import type { PdqIndexOptions } from './pdq-index.ts'
import { createSearchThreads } from './search-threads.ts'

export type PdqSearch = { queries: Uint8Array; radius: number }

/** Fewer are found before a thread has heard of them, and so are those in a small index: a lookup takes microseconds. */
const threadsFrom = { queries: 32, signals: 100_000 }

/** The last two are for tests. */
export function createPdqPart(
  options: PdqIndexOptions & {
    threadsFromSignals?: number
    onSearchWorker?: (worker: Worker) => void
  } = {},
): IndexPart {
  const { threadsFromSignals = threadsFrom.signals, onSearchWorker } = options
  const index = createPdqIndex(options)
  const threads = createSearchThreads<PdqSearch>({
    file: 'pdq-search-thread',
    startWith: () => {
      const share = index.share()
      return { workerData: share, transferList: [share.port] }
    },
    onWorker: onSearchWorker,
  })

  const searchInThreads = async (queries: Uint8Array, radius: number): Promise<RowHit[]> => {
    const count = queries.length / hashBytes
    const edge = (share: number) => Math.floor((share * count) / threads.count)
    const shares = Array.from({ length: threads.count }, async (_, share) => {
      const from = edge(share)
      const own = new Uint8Array(queries.subarray(from * hashBytes, edge(share + 1) * hashBytes))
      const hits = await threads.search(share, { queries: own, radius }, [own.buffer])
      for (const hit of hits) hit.query += from
      return hits
    })
    return (await Promise.all(shares)).flat()
  }

  return {
    ...index,
    search(queries, radius) {
      const isWorthIt =
        queries.length >= threadsFrom.queries * hashBytes &&
        index.status().signals >= threadsFromSignals
      return isWorthIt ? searchInThreads(queries, radius) : index.search(queries, radius)
    },
    async [Symbol.asyncDispose]() {
      await threads[Symbol.asyncDispose]()
      await index[Symbol.asyncDispose]()
    },
  }
}
