// One thread of bench/lookup.ts: the queries it is given, over an index that it shares.
import { parentPort, workerData } from 'node:worker_threads'
import { attachPdqIndex } from '../src/matching/pdq-share.ts'
import type { PdqShare } from '../src/matching/pdq-share.ts'

const { share, queries, radius } = workerData as {
  share: PdqShare
  queries: Uint8Array
  radius: number
}
const index = attachPdqIndex(share)
const ask = (from: number) => index.search(queries.subarray(from, from + 32), radius).length
let hits = 0
for (let round = 0; round < 2; round++) {
  for (let from = 0; from < queries.length; from += 32) hits += ask(from)
}
parentPort!.on('message', () => {
  for (let from = 0; from < queries.length; from += 32) hits += ask(from)
  parentPort!.postMessage(hits)
})
parentPort!.postMessage(hits)
