// Which part searches the signals of which type, in memory and in files.
import { join } from 'node:path'
import type { AnySignalType, SignalType } from '../domain/blob.ts'
import { createDigestIndex } from './digest-index.ts'
import type { DigestType } from './digest-index.ts'
import { createDigestFormat } from './file-digest.ts'
import { createFilePart } from './file-part.ts'
import type { FilePartOptions } from './file-part.ts'
import { createScanFormat } from './file-scan.ts'
import type { ScanType } from './file-scan-block.ts'
import type { IndexPart } from './index-part.ts'
import { createPdqPart } from './pdq-part.ts'
import { createScanIndex } from './scan-index.ts'

/** `file`: index files go to `index` under the data folder. */
export type IndexLayout = { kind: 'memory' } | { kind: 'file'; dataDir: string }

/** By type; those of plug-ins too, where they are configured. */
export type SearchableParts = Readonly<Record<AnySignalType, Pick<IndexPart, 'search'>>>

type PartOptions = Pick<FilePartOptions, 'generation' | 'onRebuildFailed' | 'pendingMax'>

export function createParts(
  layout: IndexLayout,
  options: PartOptions,
): Record<SignalType, IndexPart> {
  if (layout.kind === 'memory') {
    return {
      sha256: createDigestIndex({ type: 'sha256' }),
      md5: createDigestIndex({ type: 'md5' }),
      sha1: createDigestIndex({ type: 'sha1' }),
      pdq: createPdqPart(options),
      clip: createScanIndex({ type: 'clip' }),
    }
  }
  const folder = join(layout.dataDir, 'index')
  const digests = (type: DigestType) =>
    createFilePart({
      ...options,
      format: createDigestFormat({ folder, type }),
      createPending: () => createDigestIndex({ type }),
    })
  const scanned = (type: ScanType) =>
    createFilePart({
      ...options,
      format: createScanFormat({ folder, type }),
      createPending: () => createScanIndex({ type }),
    })
  return {
    sha256: digests('sha256'),
    md5: digests('md5'),
    sha1: digests('sha1'),
    pdq: scanned('pdq'),
    clip: scanned('clip'),
  }
}
