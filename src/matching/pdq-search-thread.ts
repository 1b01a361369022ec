// A thread that searches the PDQ index of another one. It holds nothing of its own: killing it harms nobody.
import { workerData } from 'node:worker_threads'
import { attachPdqIndex } from './pdq-share.ts'
import type { PdqShare } from './pdq-share.ts'
import type { PdqSearch } from './pdq-part.ts'
import { answerSearches } from './search-threads.ts'

const index = attachPdqIndex(workerData as PdqShare)
answerSearches(({ queries, radius }: PdqSearch) => index.search(queries, radius))
