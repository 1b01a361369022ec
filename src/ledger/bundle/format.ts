// bundle.json and the lines beside it, as they are written. docs/ledger.md specifies them.
import { toBase64, toHex, utf8 } from '../bytes.ts'

export const bundleFormat = 'blobwatch-ledger-bundle'
export const bundleVersion = 1

/** How much a bundle opens. `all`: what is not opened was erased. */
export type OpenedMode = 'none' | 'some' | 'all'

export type KeptCheckpoint = { size: number; note: string }
export type KeptAnchor = {
  size: number
  origin: string
  kind: string
  who: string
  body: Uint8Array
  at: string
}
export type KeptValue = { seq: number; field: string; salt: Uint8Array; value: string }

export type BundleFacts = {
  /** The origin of the checkpoint that covers the bundle. */
  log: string
  size: number
  madeAt: string
  opened: OpenedMode
  product: string
}

export function manifestBytes(
  facts: BundleFacts & { checkpoints: number; anchors: number; openedValues: number },
): Uint8Array {
  const { log, size, madeAt, opened, checkpoints, anchors, openedValues, product } = facts
  const manifest = {
    format: bundleFormat,
    version: bundleVersion,
    ...{ log, size, madeAt, opened, checkpoints, anchors, openedValues, product },
  }
  return utf8(`${JSON.stringify(manifest, null, 2)}\n`)
}

export function checkpointLine({ size, note }: KeptCheckpoint): string {
  return `${JSON.stringify({ size, note })}\n`
}

export function anchorLine({ size, origin, kind, who, body, at }: KeptAnchor): string {
  return `${JSON.stringify({ size, origin, kind, who, body: toBase64(body), at })}\n`
}

export function valueLine({ seq, field, salt, value }: KeptValue): string {
  return `${JSON.stringify({ seq, field, salt: toHex(salt), value })}\n`
}

export const readme = `This folder is a copy of a Blobwatch ledger, up to a signed checkpoint, in the layout of C2SP tlog-tiles.
Verify it with files and keys alone; no network, no database:

  node verify.mjs FOLDER --key LOG-KEY      or open verify.html in a browser and drop the folder on it

Get verify.mjs, verify.html and the log's key from somebody other than whoever gave you this folder, and compare
the key with the one that you, or a witness, wrote down earlier. Pin an older checkpoint with --pin FILE.
Exit codes: 0 true, 1 tampered, 2 incomplete or stale, 3 used in a wrong way.
checkpoint is the newest signed head, tile/entries the entries, tile/0, tile/1, ... the hashes of the tree.
The format, so that you can write a verifier of your own, is in docs/ledger.md of Blobwatch.
`
