// The file of a list: its format by its name, its bytes and their digest.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, extname } from 'node:path'
import type { ListFormat } from '../banks/list-format.ts'
import type { Hex } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'

export function formatOf(file: string): ListFormat | undefined {
  const end = extname(file).toLowerCase()
  if (end === '.csv') return 'csv'
  return end === '.jsonl' || end === '.ndjson' ? 'jsonl' : undefined
}

/** What a list is called where nobody says otherwise. */
export function sourceOfFile(file: string): string {
  return file === '-' ? 'stdin' : basename(file, extname(file))
}

export type ListFile = { chunks: AsyncIterable<Uint8Array>; bytes?: number; digest?: Hex }

/** `-` is stdin, which is read once: its digest is known at its end. Throws UsageError when the file cannot be read. */
export async function openListFile(file: string): Promise<ListFile> {
  if (file === '-') return { chunks: createReadStream('/dev/stdin') }
  try {
    const { size } = await stat(file)
    const digest = createHash('sha256')
    for await (const chunk of createReadStream(file)) digest.update(chunk as Buffer)
    return { chunks: createReadStream(file), bytes: size, digest: digest.digest('hex') }
  } catch (cause) {
    throw new UsageError(`${file} cannot be read`, { cause })
  }
}
