// What a content would have matched of the kept window at other distances: narrower from its recorded matches, wider by
// comparing what is stored. Reads only.
import { matchedBlobs, pdqValues } from '../cases/explain-content.ts'
import type { Database } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { createPdqScan } from './seen-pdq.ts'
import { cidAt, isWindowEmpty, placesSince, signalPages, viewPages } from './seen-window.ts'
import type { Progress, SignalPage } from './seen-window.ts'

/** Each row includes those above it. `source`: where it was read. */
export type DistanceRow = {
  distance: number
  blobs: number
  accounts: number
  source: 'matches' | 'scan'
}

export const distanceSteps = [0, 5, 10, 15, 20, 25, 31, 36, 42, 48] as const
const matchedMax = 200_000

/** `own`: the bank's distance, which is a step of its own. */
export async function distanceTable(options: {
  db: Database
  content: number
  own: number
  since: Date
  onProgress?: Progress
  signal?: AbortSignal
}): Promise<DistanceRow[]> {
  const { db, own, since } = options
  const near = new Map<Hex, number>()
  for (const { cid, distance } of await matchedBlobs(db, options.content, matchedMax))
    if (distance <= own) near.set(cid, distance)
  const steps = [...new Set([...distanceSteps, own])].toSorted((a, b) => a - b)
  const values = await pdqValues(db, options.content)
  const widest = steps.at(-1) ?? own
  if (values.length > 0 && widest > own && !(await isWindowEmpty(db, since)))
    await findWider(near, { ...options, values, widest })

  const accountsAt = new Map<number, Set<number>>()
  const blobsAt = new Map<number, number>()
  for await (const page of placesSince(db, [...near.keys()], since)) {
    for (const { cid, accounts } of page) {
      const distance = near.get(cid) ?? 0
      blobsAt.set(distance, (blobsAt.get(distance) ?? 0) + 1)
      const known = accountsAt.get(distance) ?? new Set()
      for (const account of accounts) known.add(account)
      accountsAt.set(distance, known)
    }
  }
  const accounts = new Set<number>()
  let blobs = 0
  let from = 0
  return steps.map((step) => {
    for (; from <= step; from++) {
      blobs += blobsAt.get(from) ?? 0
      for (const account of accountsAt.get(from) ?? []) accounts.add(account)
    }
    const source = step <= own ? 'matches' : 'scan'
    return { distance: step, blobs, accounts: accounts.size, source }
  })
}

/** Adds blobs beyond the bank's distance; those within it are known by their matches. */
async function findWider(
  near: Map<Hex, number>,
  options: {
    db: Database
    own: number
    values: Hex[]
    widest: number
    onProgress?: Progress
    signal?: AbortSignal
  },
): Promise<void> {
  const { db, onProgress, signal } = options
  await using scan = await createPdqScan(
    options.values.map((value) => ({ value, radius: options.widest })),
  )
  const wider = new Map<Hex, number>()
  const look = (page: SignalPage) =>
    scan.look(page, (row, _wanted, distance) => {
      const cid = cidAt(page, row)
      wider.set(cid, Math.min(distance, wider.get(cid) ?? distance))
    })
  for await (const page of signalPages(db, { onProgress, signal })) await look(page)
  for await (const page of viewPages(db, { signal })) await look(page)
  for (const [cid, distance] of wider)
    if (distance > options.own && !near.has(cid)) near.set(cid, distance)
}
