// Groups the pictures of the kept window that look alike.
//
// Two pictures are linked when their hashes, in any turn or view, lie within the distance; a group is everything that
// links lead to (single linkage). So two pictures of one group may be far apart when others lie between them.
// Promises: reads only; exact, no link is missed. Needs about 200 bytes of memory for each picture that the limit permits.
import { setImmediate } from 'node:timers/promises'
import type { Database } from '../db/client.ts'
import type { Hex } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'
import { turns } from '../domain/variant.ts'
import { hashBytes } from './hamming-scan.ts'
import { createNearSearch } from './near-search.ts'
import { turnedForms } from './packed-turns.ts'
import {
  cidBytes,
  hasBits,
  isWindowEmpty,
  seenPages,
  stopIfAsked,
  viewPages,
} from './seen-window.ts'
import type { Progress, SignalPage } from './seen-window.ts'
import { createValueTable } from './value-table.ts'
import type { ValueTable } from './value-table.ts'

export const clusterLimits = {
  /** Pictures and views of them: more would need too much time and memory. */
  hashesMax: 1_000_000,
  hashesPerStep: 256,
} as const

export type Clusters = {
  pictures: number
  /** Digests of each group's blobs; largest first. */
  groups: Hex[][]
}

export type ClusterProgress = { onLoad?: Progress; onCompare?: Progress }

/** Throws UsageError when the window is too large, RetryableError when stopped. */
export async function clusterWindow(options: {
  db: Database
  since: Date
  distanceMax: number
  /** The smallest group, in blobs. */
  blobsMin: number
  progress?: ClusterProgress
  signal?: AbortSignal
}): Promise<Clusters> {
  const { progress, signal } = options
  const { blobs, hashes, links } = await loadWindow(options)
  const union = createUnion(hashes.size)
  await joinNear(hashes.bytes(), union, { ...options, onProgress: progress?.onCompare, signal })
  // A blob lies where its hashes lie; those of its other views join what they are near to.
  const homes = new Int32Array(blobs.size).fill(-1)
  for (let at = 0; at < links.length; at += 2) {
    const [blob, hash] = [links[at] as number, links[at + 1] as number]
    if (homes[blob] === -1) homes[blob] = hash
    else union.join(homes[blob] as number, hash)
  }
  return { pictures: blobs.size, groups: groupsOf(blobs.bytes(), homes, union, options.blobsMin) }
}

function groupsOf(cids: Uint8Array, homes: Int32Array, union: Union, blobsMin: number): Hex[][] {
  const sizes = new Map<number, number>()
  for (const home of homes) sizes.set(union.rootOf(home), (sizes.get(union.rootOf(home)) ?? 0) + 1)
  const groups = new Map<number, Hex[]>()
  const names = Buffer.from(cids.buffer, cids.byteOffset, cids.length)
  for (const [blob, home] of homes.entries()) {
    const root = union.rootOf(home)
    if ((sizes.get(root) ?? 0) < blobsMin) continue
    const group = groups.get(root) ?? []
    group.push(names.toString('hex', blob * cidBytes, (blob + 1) * cidBytes))
    groups.set(root, group)
  }
  const inOrder = [...groups.values()].map((group) => group.toSorted())
  return inOrder.toSorted((a, b) => b.length - a.length || ((a[0] as Hex) < (b[0] as Hex) ? -1 : 1))
}

type Window = {
  blobs: ValueTable
  hashes: ValueTable
  /** Number of a blob, number of one of its hashes, and so on. */
  links: number[]
}

async function loadWindow(options: {
  db: Database
  since: Date
  progress?: ClusterProgress
  signal?: AbortSignal
}): Promise<Window> {
  const { db, since, progress, signal } = options
  const isEmpty = await isWindowEmpty(db, since)
  const capacity = isEmpty ? 0 : clusterLimits.hashesMax
  const window = {
    blobs: createValueTable(capacity, cidBytes),
    hashes: createValueTable(capacity, hashBytes),
    links: [] as number[],
  }
  if (isEmpty) return window
  for await (const page of seenPages(db, since, { onProgress: progress?.onLoad, signal })) {
    for (let row = 0; row < page.count; row++) {
      if (((page.has[row] as number) & hasBits.pdq) === 0) continue
      refuseMore(window)
      link(window, window.blobs.add(page.cids, row * cidBytes), page, row)
    }
  }
  for await (const page of viewPages(db, { signal })) {
    for (let row = 0; row < page.count; row++) {
      const blob = window.blobs.find(page.cids, row * cidBytes)
      if (blob === -1) continue
      refuseMore(window)
      link(window, blob, page, row)
    }
  }
  return window
}

function link({ hashes, links }: Window, blob: number, page: SignalPage, row: number): void {
  links.push(blob, hashes.add(page.pdq, row * hashBytes))
}

function refuseMore({ blobs, hashes }: Window): void {
  const { hashesMax } = clusterLimits
  if (blobs.size >= hashesMax || hashes.size >= hashesMax)
    throw new UsageError(
      `more than ${hashesMax} pictures were seen in that time: ask for less of it (--since)`,
    )
}

/** Joins all hashes that lie near each other in any turn. */
async function joinNear(
  hashes: Uint8Array,
  union: Union,
  options: {
    distanceMax: number
    onProgress: Progress | undefined
    signal: AbortSignal | undefined
  },
): Promise<void> {
  const count = hashes.length / hashBytes
  if (count === 0) return
  await using near = await createNearSearch(hashes, options.distanceMax)
  for (let from = 0; from < count; from += clusterLimits.hashesPerStep) {
    stopIfAsked(options.signal)
    const to = Math.min(from + clusterLimits.hashesPerStep, count)
    const forms = turnedForms(hashes.subarray(from * hashBytes, to * hashBytes))
    await near.search(forms, (row, query) =>
      union.join(from + Math.floor(query / turns.length), row),
    )
    options.onProgress?.(to, count)
    // Lets a signal to stop and the progress come through.
    await setImmediate()
  }
}

type Union = { join(a: number, b: number): void; rootOf(a: number): number }

/** Union-find with path halving: https://en.wikipedia.org/wiki/Disjoint-set_data_structure. The lower number is the root. */
function createUnion(size: number): Union {
  const parents = Int32Array.from({ length: size }, (_, i) => i)
  const rootOf = (a: number) => {
    let at = a
    while (parents[at] !== at) {
      parents[at] = parents[parents[at] as number] as number
      at = parents[at] as number
    }
    return at
  }
  return {
    rootOf,
    join(a, b) {
      const [x, y] = [rootOf(a), rootOf(b)]
      if (x < y) parents[y] = x
      else parents[x] = y
    },
  }
}
