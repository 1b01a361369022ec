// The operations of one commit, with the records that may carry a blob. Called for every frame of the network, so a record
// is decoded only when its bytes hold one of the two texts that every blob reference includes.
import { decode } from '@atproto/lex-cbor'
import { ifCid } from '@atproto/lex-data'
import { isValidNsid, isValidRecordKey } from '@atproto/syntax'
import { errorMessage } from '../domain/errors.ts'
import { carBlocks } from './car.ts'

export type FrameOp = {
  action: 'create' | 'update' | 'delete'
  collection: string
  rkey: string
  /** The four below: only of a create or update whose record may carry a blob. */
  cid?: string
  block?: Uint8Array
  /** Absent when the block does not decode; a fault says so. */
  record?: unknown
}

/** The lexicon allows 200; a host that sends more is read up to here and the rest is a fault. */
export const opsMax = 1_000
const faultsMax = 20

type Wanted = { op: FrameOp; cid: { bytes: Uint8Array; toString(): string } }

export function commitOps(ops: unknown, blocks: unknown): { ops: FrameOp[]; faults: string[] } {
  const faults: string[] = []
  const fault = (sentence: string): void => {
    if (faults.length < faultsMax) faults.push(sentence)
  }
  if (!Array.isArray(ops)) return { ops: [], faults: ['the commit has no ops'] }
  if (ops.length > opsMax) fault(`${ops.length} operations in one commit`)

  const read: FrameOp[] = []
  const wanted: Wanted[] = []
  for (const raw of ops.slice(0, opsMax) as unknown[]) {
    const op = readOp(raw)
    if (op === undefined) fault('an operation has no valid action or path')
    else {
      read.push(op)
      const cid = op.action === 'delete' ? null : ifCid((raw as Record<string, unknown>).cid)
      if (cid !== null) wanted.push({ op, cid })
      else if (op.action !== 'delete') fault(`no CID for ${op.collection}/${op.rkey}`)
    }
  }
  if (wanted.length > 0) addRecords(wanted, blocks, fault)
  return { ops: read, faults }
}

function readOp(raw: unknown): FrameOp | undefined {
  if (typeof raw !== 'object' || raw === null) return undefined
  const { action, path } = raw as Record<string, unknown>
  if (action !== 'create' && action !== 'update' && action !== 'delete') return undefined
  if (typeof path !== 'string') return undefined
  const slash = path.indexOf('/')
  const collection = path.slice(0, slash)
  const rkey = path.slice(slash + 1)
  if (slash === -1 || !isValidNsid(collection) || !isValidRecordKey(rkey)) return undefined
  return { action, collection, rkey }
}

function addRecords(wanted: Wanted[], blocks: unknown, fault: (sentence: string) => void): void {
  const found = new Map<string, Uint8Array | undefined>(
    wanted.map(({ cid }) => [keyOf(cid.bytes), undefined]),
  )
  try {
    if (!(blocks instanceof Uint8Array)) throw new TypeError('the commit has no blocks')
    for (const { cid, bytes } of carBlocks(blocks)) {
      const key = keyOf(cid)
      if (!found.has(key)) continue
      const earlier = found.get(key)
      // Hashes are not checked here: of two blocks that claim one CID the one that may carry a blob counts.
      if (earlier === undefined || !mayCarryBlob(earlier)) found.set(key, bytes)
    }
  } catch (error) {
    fault(errorMessage(error))
  }
  for (const { op, cid } of wanted) {
    const block = found.get(keyOf(cid.bytes))
    if (block === undefined) fault(`no block for ${op.collection}/${op.rkey}`)
    else if (mayCarryBlob(block)) addRecord(op, cid.toString(), block, fault)
  }
}

function addRecord(
  op: FrameOp,
  cid: string,
  block: Uint8Array,
  fault: (sentence: string) => void,
): void {
  op.cid = cid
  op.block = block
  try {
    op.record = decode(block)
  } catch (error) {
    fault(`${op.collection}/${op.rkey} does not decode: ${errorMessage(error)}`)
  }
}

const markers = [Buffer.from('blob'), Buffer.from('mimeType')]

/**
 * A typed reference has the text `blob`, a legacy one the key `mimeType`; DRISL has one spelling for a text, so a
 * record without either carries none. Cut-up texts (indefinite length) decode for nobody.
 */
export function mayCarryBlob(block: Uint8Array): boolean {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength)
  return markers.some((marker) => bytes.includes(marker))
}

function keyOf(cid: Uint8Array): string {
  return Buffer.from(cid.buffer, cid.byteOffset, cid.byteLength).toString('latin1')
}
