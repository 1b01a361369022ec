// Frames of com.atproto.sync.subscribeRepos as a host sends them: real CBOR, real CARs with real CIDs. Only the commit's
// signature and its tree nodes are filler. Used by the fake relay, the tests and the bench.
import { createHash } from 'node:crypto'
import { encode } from '@atproto/lex-cbor'
import { createCid, type Cid, type LexValue } from '@atproto/lex-data'

export type RelayOp = {
  action: 'create' | 'update' | 'delete'
  /** `collection/rkey` */
  path: string
  record?: unknown
  /** Leaves the record's block out of the CAR. */
  withoutBlock?: boolean
  /** The block's bytes, instead of the record encoded. */
  block?: Uint8Array
}

export type CommitEvent = {
  did: string
  ops: RelayOp[]
  rev?: string
  time?: string
  tooBig?: boolean
}

export function frameOf(t: string, body: Record<string, unknown>): Uint8Array {
  return Buffer.concat([encode({ op: 1, t }), encode(body as LexValue)])
}

export function errorFrame(error: string, message: string): Uint8Array {
  return Buffer.concat([encode({ op: -1 }), encode({ error, message })])
}

export function commitFrame(seq: number, event: CommitEvent): Uint8Array {
  const rev = event.rev ?? tidOf(seq)
  const ops = event.ops.map((op) => ({ ...op, encoded: encodedOf(op) }))
  const root = encode({
    did: event.did,
    version: 3,
    rev,
    prev: null,
    data: blockCid(Buffer.from(rev)),
  })
  const blocks = [
    root,
    ...ops.map(({ path }) => treeNode(path)),
    ...ops.flatMap(({ encoded, withoutBlock }) => (encoded && !withoutBlock ? [encoded] : [])),
  ]
  return frameOf('#commit', {
    seq,
    rebase: false,
    tooBig: event.tooBig ?? false,
    repo: event.did,
    commit: blockCid(root),
    rev,
    since: null,
    blocks: carOf(root, blocks),
    ops: ops.map(({ action, path, encoded }) => ({
      action,
      path,
      cid: encoded ? blockCid(encoded) : null,
    })),
    blobs: [],
    time: event.time ?? new Date().toISOString(),
  })
}

export function carOf(root: Uint8Array, blocks: Uint8Array[]): Uint8Array {
  const header = encode({ version: 1, roots: [blockCid(root)] })
  const parts: Uint8Array[] = [varint(header.length), header]
  for (const block of blocks) {
    const cid = blockCid(block).bytes
    parts.push(varint(cid.length + block.length), cid, block)
  }
  return Buffer.concat(parts)
}

export function blockCid(block: Uint8Array): Cid {
  return createCid(0x71, 0x12, sha256(block))
}

export function rawCid(bytes: Uint8Array | string): Cid {
  return createCid(0x55, 0x12, sha256(bytes))
}

/** A blob reference as a record holds it, for the bytes given. */
export function blobRef(bytes: Uint8Array | string, mimeType = 'image/jpeg') {
  return { $type: 'blob' as const, ref: rawCid(bytes), mimeType, size: bytes.length }
}

/** A TID: 13 characters whose text order is the numbers' order. */
export function tidOf(n: number): string {
  const alphabet = '234567abcdefghijklmnopqrstuvwxyz'
  let text = ''
  for (let rest = BigInt(n), at = 0; at < 13; at += 1, rest /= 32n) {
    text = alphabet.charAt(Number(rest % 32n)) + text
  }
  return text
}

function encodedOf(op: RelayOp): Uint8Array | undefined {
  if (op.action === 'delete') return undefined
  return op.block ?? encode(op.record as LexValue)
}

/** About the size and shape of a node of the repository's tree. */
function treeNode(path: string): Uint8Array {
  const entry = { k: Buffer.from(path), p: 0, t: null, v: rawCid(path) }
  return encode({
    l: rawCid(`left of ${path}`),
    e: [entry, { ...entry, p: 12 }, { ...entry, p: 24 }],
  })
}

function varint(n: number): Uint8Array {
  const bytes: number[] = []
  let rest = n
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return Uint8Array.from([...bytes, rest])
}

function sha256(bytes: Uint8Array | string): Uint8Array {
  return Uint8Array.from(createHash('sha256').update(bytes).digest())
}
