// bundle.json: what a bundle is of. Nobody signed it: it says where to look, and nothing is believed for it.
import { textOf } from '../ledger/bytes.ts'
import { bundleFormat, bundleVersion } from '../ledger/bundle/format.ts'
import type { OpenedMode } from '../ledger/bundle/format.ts'
import { isKeyName } from '../ledger/note/key.ts'

/** Four bytes an entry are kept while a bundle is verified. */
export const bundleEntriesMax = 400_000_000

export type Manifest = {
  format: typeof bundleFormat
  version: typeof bundleVersion
  /** The newest name of the log: the origin of `checkpoint`. */
  log: string
  size: number
  madeAt: string
  opened: OpenedMode
  /** How many lines these files have. */
  checkpoints: number
  anchors: number
  openedValues: number
  product: string
}

/** The manifest; `usage`: this is no bundle for us; `problem`: it is one that was damaged. */
export function parseManifest(
  bytes: Uint8Array,
): Manifest | { usage: string } | { problem: string } {
  let value: unknown
  try {
    value = JSON.parse(textOf(bytes) ?? '')
  } catch {
    return { problem: 'it is not JSON' }
  }
  const manifest = (value ?? {}) as Manifest
  const { format, version } = manifest as { format: unknown; version: unknown }
  if (format !== bundleFormat)
    return { usage: `this is no ledger bundle: its format is ${String(format).slice(0, 60)}` }
  if (typeof version !== 'number' || version < 1) return { problem: 'it has no version' }
  if (version > bundleVersion)
    return {
      usage: `the bundle has the format ${version}, this verifier knows ${bundleVersion}: use a newer one`,
    }
  const counts = [manifest.size, manifest.checkpoints, manifest.anchors, manifest.openedValues]
  const holds =
    typeof manifest.log === 'string' &&
    isKeyName(manifest.log) &&
    counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
    ['none', 'some', 'all'].includes(manifest.opened)
  if (!holds) return { problem: 'it lacks a field, or has one of another kind' }
  if (manifest.size > bundleEntriesMax) return { usage: tooManyEntries(manifest.size) }
  return manifest
}

export function tooManyEntries(size: number): string {
  return `the bundle has ${size} entries, this verifier reads ${bundleEntriesMax}`
}

/** What stands in for a manifest that is missing or broken. */
export function manifestOf(head: { origin: string; size: number } | undefined): Manifest {
  return {
    format: bundleFormat,
    version: bundleVersion,
    log: head?.origin ?? '',
    size: head?.size ?? 0,
    madeAt: '',
    opened: 'none',
    checkpoints: 0,
    anchors: 0,
    openedValues: 0,
    product: '',
  }
}
