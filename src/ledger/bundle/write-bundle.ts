// Writes a bundle: entries, the tiles over them, checkpoints, anchors, and bundle.json last of all.
//
// Promises: streams, a few tiles in memory at a time. Tiles are computed from the entries' bytes, not copied.
// A crash leaves a folder without bundle.json, which is no bundle.
import type { Frontier } from '../tree/frontier.ts'
import { tileWidth } from '../tree/frontier.ts'
import { leafHashOf } from '../tree/hash.ts'
import { createTileBuilder } from '../tree/tile-builder.ts'
import { formatBundle, tilePath } from '../tree/tiles.ts'
import { utf8 } from '../bytes.ts'
import { anchorLine, checkpointLine, manifestBytes, readme, valueLine } from './format.ts'
import type { BundleFacts, KeptAnchor, KeptCheckpoint, KeptValue } from './format.ts'

/** Where files go. Each path is written once, or appended to and nothing else. */
export type BundleTarget = {
  write(path: string, bytes: Uint8Array): Promise<void>
  append(path: string, bytes: Uint8Array): Promise<void>
  /** Durable on return: all that was written before. */
  flush(): Promise<void>
}

export type BundleContent = BundleFacts & {
  /** The newest signed checkpoint, of exactly `size` entries. */
  note: string
  /** All in order, a page at a time: of entry number, of size. */
  entries: AsyncIterable<readonly Uint8Array[]>
  checkpoints: AsyncIterable<readonly KeptCheckpoint[]>
  anchors: AsyncIterable<readonly KeptAnchor[]>
  values?: AsyncIterable<readonly KeptValue[]> | undefined
}

export type WrittenBundle = {
  entries: number
  root: ReturnType<Frontier['root']>
  checkpoints: number
  anchors: number
  openedValues: number
}

export async function writeBundle(
  target: BundleTarget,
  content: BundleContent,
  onProgress?: (entries: number) => void,
): Promise<WrittenBundle> {
  const { entries, root } = await writeEntries(target, content, onProgress)
  const checkpoints = await writeLines(
    target,
    'checkpoints.jsonl',
    content.checkpoints,
    checkpointLine,
  )
  const anchors = await writeLines(target, 'anchors.jsonl', content.anchors, anchorLine)
  const openedValues =
    content.values === undefined
      ? 0
      : await writeLines(target, 'opened.jsonl', content.values, valueLine)
  await target.write('checkpoint', utf8(content.note))
  await target.write('README.txt', utf8(readme))
  await target.flush()
  const written = { checkpoints, anchors, openedValues }
  await target.write('bundle.json', manifestBytes({ ...content, ...written }))
  await target.flush()
  return { entries, root, ...written }
}

async function writeEntries(
  target: BundleTarget,
  content: BundleContent,
  onProgress: ((entries: number) => void) | undefined,
): Promise<{ entries: number; root: Uint8Array }> {
  const tree = createTileBuilder()
  let waiting: Uint8Array[] = []
  let entries = 0
  const writeTiles = async () => {
    for (const { level, name, hashes } of tree.takeTiles())
      await target.write(tilePath(level, name), hashes)
  }
  const writeWaiting = async () => {
    const name = { index: Math.floor((entries - 1) / tileWidth), width: waiting.length }
    await target.write(tilePath('entries', name), formatBundle(waiting))
    waiting = []
    await writeTiles()
  }
  for await (const page of content.entries) {
    for (const bytes of page) {
      tree.push(leafHashOf(bytes))
      waiting.push(bytes)
      entries += 1
      if (waiting.length === tileWidth) await writeWaiting()
    }
    onProgress?.(entries)
  }
  tree.end()
  if (waiting.length > 0) await writeWaiting()
  else await writeTiles()
  return { entries, root: tree.root() }
}

/** The file is there also when it has no line. */
async function writeLines<Row>(
  target: BundleTarget,
  path: string,
  pages: AsyncIterable<readonly Row[]>,
  format: (row: Row) => string,
): Promise<number> {
  let count = 0
  await target.append(path, new Uint8Array(0))
  for await (const page of pages) {
    await target.append(path, utf8(page.map((row) => format(row)).join('')))
    count += page.length
  }
  return count
}
