// Finds every blob reference in a record, however it is dressed up.
//
// Promises: a reference anywhere in the record is found, on decoded CBOR and on raw JSON, in each spelling a client may follow;
// when a limit cut the walk short it says so. Assumes nothing about the record: it may be hostile, cyclic or a million values wide.
// More permissive than `enumBlobRefs` of @atproto/lex-data on purpose: that one passes over a reference with one extra key,
// which a PDS accepts in an unknown collection (reference/atproto.md 2.2).
import { ifCid, parseCidSafe } from '@atproto/lex-data'
import type { BlobCid } from '../domain/blob.ts'

/** `cid` in its base32 text where it is a CID at all, else as the record spells it (printable, cut). `mimeType` is the author's claim. */
export type FoundBlob = { cid: BlobCid; mimeType?: string }

export type WalkLimits = { depthMax: number; nodesMax: number; refsMax: number }

/** A record is at most about 1 MB; the app.bsky records hold at most 20 blobs. */
export const walkLimits: WalkLimits = { depthMax: 256, nodesMax: 250_000, refsMax: 1_000 }

const cidCharsMax = 128
const mimeTypeCharsMax = 255

/** Each distinct CID once, the first mimeType wins. `truncated`: a limit was met, there may be more. */
export function blobRefsIn(
  record: unknown,
  limits: WalkLimits = walkLimits,
): { refs: FoundBlob[]; truncated: boolean } {
  const found = new Map<string, FoundBlob>()
  const seen = new Set<object>()
  const open: { value: object; depth: number }[] = []
  let nodes = 0
  let truncated = false

  const visit = (value: unknown, depth: number): void => {
    if (!isContainer(value) || seen.has(value)) return
    if (depth > limits.depthMax) truncated = true
    else {
      seen.add(value)
      open.push({ value, depth })
    }
  }

  visit(record, 0)
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const ref = Array.isArray(next.value) ? undefined : blobRefOf(next.value)
    if (ref !== undefined && !found.has(ref.cid)) {
      if (found.size >= limits.refsMax) return { refs: [...found.values()], truncated: true }
      found.set(ref.cid, ref)
    }
    for (const child of childrenOf(next.value)) {
      nodes += 1
      if (nodes > limits.nodesMax) return { refs: [...found.values()], truncated: true }
      visit(child, next.depth + 1)
    }
  }
  return { refs: [...found.values()], truncated }
}

/** Whether the record, as it stands now, refers to the blob. Asked again before an action on the record. */
export function carriesBlob(record: unknown, blobCid: BlobCid): boolean {
  const wanted = cidText(blobCid)
  return blobRefsIn(record).refs.some((ref) => ref.cid === wanted)
}

/**
 * A decoded map with the key `__proto__` has that value as its prototype (cborg assigns it), and a reader that
 * says `record.embed` sees through it: so does this walk.
 */
function* childrenOf(value: object): Iterable<unknown> {
  yield* Object.values(value)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype) yield prototype
}

function isContainer(value: unknown): value is object {
  return (
    typeof value === 'object' &&
    value !== null &&
    !ArrayBuffer.isView(value) &&
    ifCid(value) === null
  )
}

function blobRefOf(value: object): FoundBlob | undefined {
  const { $type, ref, cid, mimeType } = value as Record<string, unknown>
  const claimed =
    typeof mimeType === 'string' ? { mimeType: mimeType.slice(0, mimeTypeCharsMax) } : {}
  if ($type === 'blob') {
    const name = linkText(ref)
    if (name !== undefined) return { cid: name, ...claimed }
  }
  if (typeof cid === 'string' && typeof mimeType === 'string') {
    // The shape from before 2023: only a real CID tells it from any other object with these two keys.
    const name = parseCidSafe(cid)?.toString()
    if (name !== undefined) return { cid: name, ...claimed }
  }
  return undefined
}

/** A link as decoded CBOR (Cid), atproto JSON ({$link}), DAG-JSON ({'/'}) or a bare string. */
function linkText(ref: unknown): string | undefined {
  if (typeof ref === 'string') return cidText(ref)
  if (typeof ref !== 'object' || ref === null) return undefined
  const cid = ifCid(ref)
  if (cid !== null) return printable(cid.toString())
  const { $link, '/': slash } = ref as Record<string, unknown>
  if (typeof $link === 'string') return cidText($link)
  if (typeof slash === 'string') return cidText(slash)
  return undefined
}

/** One text per CID whatever its multibase, so that the same blob is not two. */
function cidText(text: string): string {
  return parseCidSafe(text)?.toString() ?? printable(text)
}

/** What is no CID is kept to be seen and settled, but never as bytes that a database column refuses. */
function printable(text: string): string {
  return text.slice(0, cidCharsMax).replaceAll(/[^\x21-\x7e]/g, '?')
}
