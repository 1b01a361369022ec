// Walks a bundle's entries once, in order, and hands each to every check; heads are judged as their sizes come by.
import { sameBytes } from '../ledger/bytes.ts'
import { parseBundle, tilePath, tilesOf } from '../ledger/tree/tiles.ts'
import type { TileName } from '../ledger/tree/tiles.ts'
import { fileBytesMax, queueLines, readJsonLines } from './bundle-files.ts'
import type { BundleFiles } from './bundle-files.ts'
import type { EntryChecks } from './check-entries.ts'
import { parseOpened } from './check-opened.ts'
import type { OpenedChecks, OpenedValue } from './check-opened.ts'
import type { Findings } from './findings.ts'
import type { HeadLines } from './head-lines.ts'
import type { Manifest } from './manifest.ts'
import type { EntryPlaces } from './scan-entry.ts'
import type { TileBuilder } from '../ledger/tree/tile-builder.ts'

export type Run = {
  files: BundleFiles
  manifest: Manifest
  findings: Findings
  entries: EntryChecks
  opened: OpenedChecks
  tree: TileBuilder
  lines: HeadLines
  /** Sizes whose roots are asked for later, and the roots once they are known. */
  roots: Map<number, Uint8Array | undefined>
  /** opened.jsonl should be there and is not. */
  lacksOpened: boolean
  onProgress?: ((done: number, of: number) => void) | undefined
}

const progressTiles = 100

/** How many entries there were to read: fewer than the manifest says when a file is missing or broken. */
export async function readEntries(run: Run): Promise<number> {
  const { manifest, findings, files, tree } = run
  const values = await openValues(run)
  let seq = 0
  await lookAtHeads(run, 0)
  for (const name of tilesOf(0, manifest.size)) {
    const bundle = await readEntryBundle(run, name)
    const sizes = new Set(await run.lines.sizesUpTo(seq + (bundle?.length ?? 0)))
    const opened = await values.upTo(seq + (bundle?.length ?? 0))
    for (const bytes of bundle ?? []) {
      tree.push(run.entries.add(bytes))
      const places = run.entries.places()
      if (places !== undefined && manifest.opened !== 'none')
        addOpened(run, { seq, bytes, places, values: opened.get(seq) })
      seq += 1
      if (sizes.has(seq) || run.roots.has(seq)) await lookAtHeads(run, seq)
    }
    if (bundle?.length !== name.width) return seq
    await compareTiles(files, tree, findings)
    if (name.index % progressTiles === 0) run.onProgress?.(seq, manifest.size)
  }
  tree.end()
  await compareTiles(files, tree, findings)
  await values.end()
  run.onProgress?.(seq, manifest.size)
  return seq
}

/** Facts that may be told twice are looked for in full. */
export async function readAgain(run: Run, read: number): Promise<void> {
  let seq = 0
  for (const name of tilesOf(0, run.manifest.size)) {
    if (seq >= read) return
    const bytes = await run.files.read(tilePath('entries', name))
    for (const entry of (bytes && parseBundle(bytes)) ?? []) run.entries.lookAgain(entry, seq++)
  }
}

async function lookAtHeads(run: Run, size: number): Promise<void> {
  const root = run.tree.root()
  if (run.roots.has(size)) run.roots.set(size, root)
  await run.lines.sizesUpTo(size)
  run.lines.check(size, (asked) => (asked === size ? root : 'unread'))
}

async function readEntryBundle(run: Run, name: TileName): Promise<Uint8Array[] | undefined> {
  const path = tilePath('entries', name)
  const bytes = await run.files.read(path)
  if (bytes === undefined) {
    run.findings.incomplete(path, 'the file is missing: what comes after it was not checked')
    return undefined
  }
  const bundle = bytes.length > fileBytesMax ? undefined : parseBundle(bytes)
  if (bundle === undefined) run.findings.tampered(path, 'the file does not end with an entry')
  else if (bundle.length !== name.width)
    run.findings.tampered(path, `the file has ${bundle.length} entries, not ${name.width}`)
  return bundle?.slice(0, name.width)
}

async function compareTiles(files: BundleFiles, tree: TileBuilder, findings: Findings) {
  for (const { level, name, hashes } of tree.takeTiles()) {
    const path = tilePath(level, name)
    const bytes = await files.read(path)
    if (bytes === undefined) findings.incomplete(path, 'the file is missing')
    else if (!sameBytes(bytes, hashes)) findings.tampered(path, tileProblem(level, bytes, hashes))
  }
}

function tileProblem(level: number, bytes: Uint8Array, hashes: Uint8Array): string {
  if (bytes.length !== hashes.length)
    return `the tile has ${bytes.length} bytes, not ${hashes.length}`
  const at = Math.floor(hashes.findIndex((byte, i) => byte !== bytes[i]) / 32)
  return `hash ${at} of the tile is not that of the ${level === 0 ? 'entry' : 'tile below'}`
}

function addOpened(
  run: Run,
  entry: {
    seq: number
    bytes: Uint8Array
    places: EntryPlaces
    values: ReadonlyMap<string, OpenedValue> | undefined
  },
): void {
  const { seq, bytes, places, values } = entry
  run.opened.add(seq, bytes, places, (field) => values?.get(field), values?.keys())
}

/** opened.jsonl in step with the entries: in order of their numbers. */
async function openValues(run: Run) {
  const { files, manifest, findings } = run
  const path = 'opened.jsonl'
  const parts = manifest.opened === 'none' ? undefined : await files.parts(path)
  run.lacksOpened = manifest.opened !== 'none' && parts === undefined
  if (run.lacksOpened) findings.incomplete(path, 'the file is missing')
  const queue = queueLines(parts && readJsonLines(parts))
  let [count, last] = [0, 0]
  const upTo = async (size: number) => {
    const values = new Map<number, Map<string, OpenedValue>>()
    for (;;) {
      const line = await queue.peek()
      const opened = line !== undefined && 'value' in line ? parseOpened(line.value) : undefined
      if (line === undefined || (opened !== undefined && opened.seq >= size)) return values
      await queue.take()
      count += 1
      const where = `${path} line ${line.number}`
      if (opened === undefined) {
        findings.tampered(where, 'problem' in line ? line.problem : 'it is no opened value')
        continue
      }
      const here = values.get(opened.seq) ?? new Map<string, OpenedValue>()
      if (opened.seq < last || here.has(opened.field))
        findings.tampered(where, 'it is out of order, or there twice')
      last = Math.max(last, opened.seq)
      values.set(opened.seq, here.set(opened.field, { salt: opened.salt, value: opened.value }))
    }
  }
  return {
    upTo,
    async end() {
      for (const seq of (await upTo(Infinity)).keys())
        findings.tampered(path, `it opens a value of entry ${seq}, which is not there`)
      if (parts !== undefined && count < manifest.openedValues)
        findings.incomplete(
          path,
          `there are ${count} lines, bundle.json says ${manifest.openedValues}`,
        )
    },
  }
}
