// What the ways of tampering are made with: changes of a log's parts and of a bundle's files.
import canonicalize from 'canonicalize'
import { tilePath } from '../ledger/tree/tiles.ts'
import { fromBase64, textOf, toBase64, toHex, utf8 } from '../ledger/bytes.ts'
import { noHash } from '../ledger/entry.ts'
import { formatCheckpoint, parseCheckpoint } from '../ledger/note/checkpoint.ts'
import { formatNote, parseNote } from '../ledger/note/note.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import { createFrontier } from '../ledger/tree/frontier.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import type { KeptCheckpoint } from '../ledger/bundle/format.ts'
import type { LogParts, MadeLog, Random } from './log-in-test.ts'

export type Files = Map<string, Uint8Array>
export type Tampering = {
  name: string
  /** `found`: by whatever code but 0; where tampering cannot be told from loss. */
  expect: 'tampered' | 'found'
  /** Changes the parts that the bundle is made of; false: there is no such place here. */
  parts?: (parts: LogParts, random: Random, log: MadeLog) => boolean | void
  /** Changes the files of the bundle. */
  files?: (files: Files, random: Random, log: MadeLog) => boolean | void
  /** Checkpoints that somebody kept of the honest log. */
  pins?: (log: MadeLog, random: Random) => KeptCheckpoint[]
  /** The checkpoints are made anew by somebody without the key. */
  forges?: boolean
}

export type Document = {
  log: string
  seq: number
  t: string
  prev: string
  type: string
  idem: string
  pub: Record<string, unknown>
  com: Record<string, string>
}

export const documentOf = (bytes: Uint8Array) => JSON.parse(textOf(bytes) ?? '') as Document
export const bytesOf = (document: unknown) => utf8(canonicalize(document) ?? '')

/** Changes entry `seq` and makes every link after it fit again, as an operator could. */
export function edit(parts: LogParts, seq: number, change: (document: Document) => void): void {
  const document = documentOf(parts.entries[seq] as Uint8Array)
  change(document)
  parts.entries[seq] = bytesOf(document)
  relink(parts, seq + 1)
}

export function relink(parts: LogParts, from: number): void {
  for (let seq = from; seq < parts.entries.length; seq += 1) {
    const before = parts.entries[seq - 1]
    const document = documentOf(parts.entries[seq] as Uint8Array)
    document.seq = seq
    document.prev = before === undefined ? noHash : toHex(leafHashOf(before))
    parts.entries[seq] = bytesOf(document)
  }
}

/** Checkpoints of what the log is now; signed with `key`, which is not the log's. */
export function forge(
  parts: LogParts,
  key = makeSignerKey(parts.log, 'log', new Uint8Array(32).fill(3)),
): void {
  const frontier = createFrontier()
  const roots = new Map([[0, frontier.root()]])
  for (const bytes of parts.entries) {
    frontier.push(leafHashOf(bytes))
    roots.set(frontier.size(), frontier.root())
  }
  const sign = (size: number) => {
    const text = formatCheckpoint({ origin: parts.log, size, root: roots.get(size) as Uint8Array })
    return formatNote({ text, signatures: [key.sign(text, 0)] })
  }
  parts.checkpoints = parts.checkpoints
    .filter(({ size }) => size <= parts.entries.length)
    .map(({ size }) => ({ size, note: sign(size) }))
  parts.note = sign(parts.entries.length)
  parts.anchors = []
}

/** Keeps the log's own signature line and changes what it signs. */
export const restate = (note: string, size: number, root: Uint8Array) => {
  const parsed = parseNote(note)
  const origin = (parsed && parseCheckpoint(parsed.text)?.origin) ?? ''
  return formatNote({
    text: formatCheckpoint({ origin, size, root }),
    signatures: parsed?.signatures ?? [],
  })
}

export const pick = (parts: LogParts, random: Random) => random(parts.entries.length)
export const find = (parts: LogParts, random: Random, holds: (document: Document) => boolean) => {
  const start = pick(parts, random)
  for (let i = 0; i < parts.entries.length; i += 1) {
    const seq = (start + i) % parts.entries.length
    if (holds(documentOf(parts.entries[seq] as Uint8Array))) return seq
  }
  return undefined
}
export const pickPath = (files: Files, random: Random, pattern: RegExp) => {
  const paths = [...files.keys()].filter((path) => pattern.test(path))
  return paths[random(paths.length)]
}
export const flip = (bytes: Uint8Array, random: Random) => {
  const changed = Uint8Array.from(bytes)
  const at = random(changed.length)
  changed[at] = (changed[at] as number) ^ (1 << random(8))
  return changed
}
export const replaceText = (
  files: Files,
  path: string,
  change: (text: string) => string,
): boolean => {
  const before = textOf(files.get(path) ?? new Uint8Array(0)) ?? ''
  const after = change(before)
  files.set(path, utf8(after))
  return after !== before
}
export const changeLine = (
  files: Files,
  path: string,
  random: Random,
  change: (row: Record<string, unknown>) => void,
) =>
  replaceText(files, path, (text) => {
    const lines = text.trimEnd().split('\n')
    const at = random(lines.length)
    if (lines[at] === '') return text
    const row = JSON.parse(lines[at] as string) as Record<string, unknown>
    change(row)
    lines[at] = JSON.stringify(row)
    return `${lines.join('\n')}\n`
  })

export function changeAnchor(
  files: Files,
  random: Random,
  kind: string,
  change: (body: Uint8Array) => Uint8Array,
): boolean {
  return replaceText(files, 'anchors.jsonl', (text) => {
    const rows = text
      .split('\n')
      .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as Record<string, unknown>]))
    const some = rows.filter((row) => row['kind'] === kind)
    const row = some[random(some.length)]
    if (row !== undefined)
      row['body'] = toBase64(change(fromBase64(row['body'] as string) as Uint8Array))
    return rows.map((one) => `${JSON.stringify(one)}\n`).join('')
  })
}

/** The name of a file says how many entries it has: the last one's still says what it did. */
export function nameAsBefore(files: Files, log: MadeLog): void {
  const name = { index: Math.floor(log.entries.length / 256), width: log.entries.length % 256 }
  const [path] = [...files.keys()].filter(
    (one) => one.startsWith('tile/entries/') && one.includes('.p/'),
  )
  if (path === undefined) return
  files.set(tilePath('entries', name), files.get(path) as Uint8Array)
  if (path !== tilePath('entries', name)) files.delete(path)
}

/** An older state of the log, honestly signed. */
export function replay(parts: LogParts, random: Random, log: MadeLog): boolean {
  const own = log.checkpoints.filter(({ note }) => note.startsWith(`${log.log}\n`))
  const old = own[random(own.length - 1)]
  if (old === undefined || old.size === log.entries.length) return false
  parts.entries.length = old.size
  parts.checkpoints = parts.checkpoints.filter(({ size }) => size <= old.size)
  parts.anchors = parts.anchors.filter(({ size }) => size <= old.size)
  parts.values = parts.values.filter(({ seq }) => seq < old.size)
  parts.note = old.note
  parts.opened = 'some'
  return true
}
