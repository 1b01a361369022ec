// Ways to tamper with a log or with a bundle of it, each at a random place, and what a verifier must say.
import { formatBundle, parseBundle, tilePath } from '../ledger/tree/tiles.ts'
import { fromBase64, fromHex, textOf, toBase64, toHex, utf8 } from '../ledger/bytes.ts'
import canonicalize from 'canonicalize'
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

type Document = {
  log: string
  seq: number
  t: string
  prev: string
  type: string
  idem: string
  pub: Record<string, unknown>
  com: Record<string, string>
}

const documentOf = (bytes: Uint8Array) => JSON.parse(textOf(bytes) ?? '') as Document
const bytesOf = (document: unknown) => utf8(canonicalize(document) ?? '')

/** Changes entry `seq` and makes every link after it fit again, as an operator could. */
function edit(parts: LogParts, seq: number, change: (document: Document) => void): void {
  const document = documentOf(parts.entries[seq] as Uint8Array)
  change(document)
  parts.entries[seq] = bytesOf(document)
  relink(parts, seq + 1)
}

function relink(parts: LogParts, from: number): void {
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
const restate = (note: string, size: number, root: Uint8Array) => {
  const parsed = parseNote(note)
  const origin = (parsed && parseCheckpoint(parsed.text)?.origin) ?? ''
  return formatNote({
    text: formatCheckpoint({ origin, size, root }),
    signatures: parsed?.signatures ?? [],
  })
}

const pick = (parts: LogParts, random: Random) => random(parts.entries.length)
const find = (parts: LogParts, random: Random, holds: (document: Document) => boolean) => {
  const start = pick(parts, random)
  for (let i = 0; i < parts.entries.length; i += 1) {
    const seq = (start + i) % parts.entries.length
    if (holds(documentOf(parts.entries[seq] as Uint8Array))) return seq
  }
  return undefined
}
const pickPath = (files: Files, random: Random, pattern: RegExp) => {
  const paths = [...files.keys()].filter((path) => pattern.test(path))
  return paths[random(paths.length)]
}
const flip = (bytes: Uint8Array, random: Random) => {
  const changed = Uint8Array.from(bytes)
  const at = random(changed.length)
  changed[at] = (changed[at] as number) ^ (1 << random(8))
  return changed
}
const replaceText = (files: Files, path: string, change: (text: string) => string): boolean => {
  const before = textOf(files.get(path) ?? new Uint8Array(0)) ?? ''
  const after = change(before)
  files.set(path, utf8(after))
  return after !== before
}
const changeLine = (
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

export const tamperings: Tampering[] = [
  {
    name: 'a bit of an entry is flipped',
    expect: 'tampered',
    parts(parts, random) {
      const seq = pick(parts, random)
      parts.entries[seq] = flip(parts.entries[seq] as Uint8Array, random)
    },
  },
  {
    name: 'a bit of an entry is flipped in the file only',
    expect: 'tampered',
    files(files, random) {
      const path = pickPath(files, random, /^tile\/entries/) as string
      files.set(path, flip(files.get(path) as Uint8Array, random))
    },
  },
  {
    name: 'an entry is edited and the chain made to fit',
    expect: 'tampered',
    parts: (parts, random) =>
      edit(parts, pick(parts, random), ({ pub }) => (pub['decision'] = random(1e6))),
  },
  {
    name: 'an entry is deleted and the chain made to fit',
    expect: 'tampered',
    parts(parts, random) {
      const seq = pick(parts, random)
      parts.entries.splice(seq, 1)
      parts.values = []
      parts.opened = 'none'
      relink(parts, seq)
    },
    files: (files, _, log) => nameAsBefore(files, log),
  },
  {
    name: 'an entry is inserted and the chain made to fit',
    expect: 'tampered',
    parts(parts, random) {
      const seq = pick(parts, random)
      const document = documentOf(parts.entries[seq] as Uint8Array)
      document.idem = toHex(leafHashOf(utf8(String(random(1e9)))))
      parts.entries.splice(seq, 0, bytesOf({ ...document, com: {} }))
      parts.values = []
      parts.opened = 'none'
      relink(parts, seq)
    },
    files: (files, _, log) => nameAsBefore(files, log),
  },
  {
    name: 'two entries are swapped',
    expect: 'tampered',
    parts(parts, random) {
      const one = pick(parts, random)
      const two = (one + 1 + random(parts.entries.length - 1)) % parts.entries.length
      const first = parts.entries[one] as Uint8Array
      parts.entries[one] = parts.entries[two] as Uint8Array
      parts.entries[two] = first
    },
  },
  {
    name: 'the end is cut off and the head left',
    expect: 'found',
    parts(parts, random) {
      parts.entries.length = pick(parts, random)
    },
  },
  {
    name: 'the last entries of a file are cut off',
    expect: 'tampered',
    files(files, random) {
      const path = pickPath(files, random, /^tile\/entries/) as string
      const entries = parseBundle(files.get(path) as Uint8Array) as Uint8Array[]
      files.set(path, formatBundle(entries.slice(0, random(entries.length))))
    },
  },
  {
    name: 'the end is cut off with the head, and somebody kept the head',
    expect: 'tampered',
    pins: (log) => log.checkpoints.slice(-1),
    parts: (parts, random, log) => replay(parts, random, log),
  },
  {
    name: 'an old checkpoint is replayed over the whole log',
    expect: 'found',
    files(files, random, log) {
      const old = log.checkpoints[random(log.checkpoints.length - 1)] as KeptCheckpoint
      files.set('checkpoint', utf8(old.note))
      return old.size < log.entries.length
    },
  },
  {
    name: 'the log is written anew and signed by somebody without the key',
    expect: 'found',
    forges: true,
    parts: (parts, random) =>
      edit(
        parts,
        pick(parts, random),
        (document) => (document.pub = { ...document.pub, decision: random(1e6) }),
      ),
  },
  {
    name: 'the log is written anew, signed without the key, and somebody kept a head',
    expect: 'tampered',
    forges: true,
    pins: (log) => log.checkpoints.slice(-1),
    parts: (parts, random) =>
      edit(
        parts,
        pick(parts, random),
        (document) => (document.pub = { ...document.pub, decision: random(1e6) }),
      ),
  },
  {
    name: 'entries are numbered from 0 again',
    expect: 'tampered',
    parts(parts, random) {
      const from = 1 + random(parts.entries.length - 1)
      for (let seq = from; seq < parts.entries.length; seq += 1) {
        const document = documentOf(parts.entries[seq] as Uint8Array)
        parts.entries[seq] = bytesOf({ ...document, seq: seq - from })
      }
    },
  },
  {
    name: 'an entry of another log is put in the place of one',
    expect: 'tampered',
    parts: (parts, random) =>
      edit(parts, pick(parts, random), (document) => (document.log = 'ledger.example/another')),
  },
  {
    name: 'a fact is told twice, signed with the key',
    expect: 'tampered',
    parts(parts, random, log) {
      const one = pick(parts, random)
      const two = (one + 1 + random(parts.entries.length - 1)) % parts.entries.length
      const { idem } = documentOf(parts.entries[one] as Uint8Array)
      edit(parts, two, (document) => (document.idem = idem))
      forge(parts, log.logKeys.at(-1))
    },
  },
  {
    name: 'a time is changed',
    expect: 'tampered',
    parts: (parts, random) =>
      edit(parts, pick(parts, random), (document) => {
        document.t = new Date(Date.parse(document.t) + 1 + random(1000)).toISOString()
      }),
  },
  {
    name: 'time runs backwards, signed with the key',
    expect: 'tampered',
    parts(parts, random, log) {
      edit(
        parts,
        1 + random(parts.entries.length - 1),
        (document) => (document.t = '2020-01-01T00:00:00.000Z'),
      )
      forge(parts, log.logKeys.at(-1))
    },
  },
  {
    name: 'a checkpoint is removed',
    expect: 'found',
    files: (files, random) =>
      replaceText(files, 'checkpoints.jsonl', (text) => {
        const lines = text.trimEnd().split('\n')
        return `${lines.toSpliced(random(lines.length), 1).join('\n')}\n`
      }),
  },
  {
    name: 'a kept checkpoint says another root',
    expect: 'tampered',
    files: (files, random) =>
      changeLine(files, 'checkpoints.jsonl', random, (row) => {
        row['note'] = restate(row['note'] as string, row['size'] as number, leafHashOf(utf8('x')))
      }),
  },
  {
    name: 'a kept checkpoint says another size',
    expect: 'tampered',
    files: (files, random, log) =>
      changeLine(files, 'checkpoints.jsonl', random, (row) => {
        const root = parseCheckpoint(parseNote(row['note'] as string)?.text ?? '')
          ?.root as Uint8Array
        const size =
          1 + (((row['size'] as number) + random(log.entries.length - 1)) % log.entries.length)
        row['note'] = restate(row['note'] as string, size, root)
      }),
  },
  {
    name: 'a signature is wrong',
    expect: 'tampered',
    files: (files, random) =>
      changeLine(files, 'checkpoints.jsonl', random, (row) => {
        const note = parseNote(row['note'] as string)
        const at = random(note?.signatures.length ?? 0)
        row['note'] = formatNote({
          text: note?.text ?? '',
          signatures: (note?.signatures ?? []).map((one, i) =>
            i === at ? { ...one, signature: flip(one.signature, random) } : one,
          ),
        })
      }),
  },
  {
    name: 'the log’s own signature is taken off the head',
    expect: 'found',
    parts(parts) {
      const note = parseNote(parts.note)
      parts.note = formatNote({
        text: note?.text ?? '',
        signatures: note?.signatures.slice(1) ?? [],
      })
    },
  },
  {
    name: 'cosignatures are taken off the head',
    expect: 'found',
    parts(parts) {
      const note = parseNote(parts.note)
      parts.note = formatNote({
        text: note?.text ?? '',
        signatures: note?.signatures.slice(0, 1) ?? [],
      })
      parts.checkpoints = parts.checkpoints.filter(({ size }) => size < parts.entries.length)
    },
  },
  {
    name: 'a tile is edited',
    expect: 'tampered',
    files(files, random) {
      const path = pickPath(files, random, /^tile\/\d/) as string
      files.set(path, flip(files.get(path) as Uint8Array, random))
    },
  },
  {
    name: 'two tiles are swapped',
    expect: 'found',
    files(files, random) {
      const one = pickPath(files, random, /^tile\/0\/\d+$/)
      const two = pickPath(files, random, /^tile\/(entries|1|0)\//)
      if (one === undefined || two === undefined || one === two) return false
      const first = files.get(one) as Uint8Array
      files.set(one, files.get(two) as Uint8Array)
      files.set(two, first)
      return true
    },
  },
  {
    name: 'a tile of level 1 is wrong',
    expect: 'tampered',
    files(files, random) {
      const path = pickPath(files, random, /^tile\/1\//)
      if (path === undefined) return false
      files.set(path, flip(files.get(path) as Uint8Array, random))
      return true
    },
  },
  {
    name: 'a file is removed',
    expect: 'found',
    files(files, random) {
      const path = pickPath(files, random, /^(tile|checkpoint|bundle|opened)/) as string
      files.delete(path)
    },
  },
  {
    name: 'an opened value is changed',
    expect: 'tampered',
    files: (files, random) =>
      changeLine(
        files,
        'opened.jsonl',
        random,
        (row) => (row['value'] = `${String(row['value'])}.`),
      ),
  },
  {
    name: 'a salt is changed',
    expect: 'tampered',
    files: (files, random) =>
      changeLine(files, 'opened.jsonl', random, (row) => {
        row['salt'] = toHex(flip(fromHex(row['salt'] as string) as Uint8Array, random))
      }),
  },
  {
    name: 'a value is missing and no entry says that it was erased',
    expect: 'tampered',
    parts(parts, random) {
      parts.values.splice(random(parts.values.length), 1)
    },
  },
  {
    name: 'an erasure names an entry that comes later, signed with the key',
    expect: 'tampered',
    parts(parts, random, log) {
      const seq = find(parts, random, ({ type }) => type === 'account.erased')
      if (seq === undefined) return false
      edit(parts, seq, ({ pub }) => (pub['erased'] = [[0, seq + random(100)]]))
      forge(parts, log.logKeys.at(-1))
      return true
    },
  },
  {
    name: 'an action has two results, signed with the key',
    expect: 'tampered',
    parts(parts, random, log) {
      const seq = find(parts, random, ({ type }) => type === 'action.result')
      const { pub } = documentOf(parts.entries[seq ?? 0] as Uint8Array)
      if (seq === undefined || seq + 2 >= parts.entries.length) return false
      edit(parts, seq + 1 + random(parts.entries.length - seq - 1), (document) => {
        document.type = 'action.result'
        document.pub = pub
      })
      forge(parts, log.logKeys.at(-1))
      return true
    },
  },
  {
    name: 'a result has no intent, signed with the key',
    expect: 'tampered',
    parts(parts, random, log) {
      edit(parts, pick(parts, random), (document) => {
        document.type = 'action.result'
        document.pub = { action: 1e6 + random(1e6) }
      })
      forge(parts, log.logKeys.at(-1))
    },
  },
  {
    name: 'the bytes are not canonical, signed with the key',
    expect: 'tampered',
    parts(parts, random, log) {
      const seq = pick(parts, random)
      const text = textOf(parts.entries[seq] as Uint8Array) ?? ''
      const at = [...text.matchAll(/[,:]/g)][random(9)]?.index ?? 1
      parts.entries[seq] = utf8(`${text.slice(0, at)} ${text.slice(at)}`)
      relink(parts, seq + 1)
      forge(parts, log.logKeys.at(-1))
    },
  },
  {
    name: 'a key stands twice in an entry, signed with the key',
    expect: 'tampered',
    parts(parts, random, log) {
      const seq = pick(parts, random)
      const text = textOf(parts.entries[seq] as Uint8Array) ?? ''
      parts.entries[seq] = utf8(text.replace('"pub":{', '"pub":{},"pub":{'))
      relink(parts, seq + 1)
      forge(parts, log.logKeys.at(-1))
    },
  },
  {
    name: 'a loss is admitted that was none',
    expect: 'tampered',
    pins: (log) => log.checkpoints.slice(-1),
    parts(parts, random, log) {
      const size = 1 + random(parts.entries.length - 1)
      const key = log.logKeys.at(-1)
      const newLog = `${parts.log}-forged`
      const pub = { previousLog: parts.log, previousSize: size, previousRoot: noHash, size }
      parts.entries.length = size
      edit(parts, size - 1, () => undefined)
      const before = parts.entries[size - 1] as Uint8Array
      const document = documentOf(before)
      const com = {}
      const idem = toHex(leafHashOf(utf8(newLog)))
      const prev = toHex(leafHashOf(before))
      parts.entries.push(
        bytesOf({
          ...document,
          log: newLog,
          type: 'log.recovered',
          seq: size,
          ...{ pub, com, idem, prev },
        }),
      )
      parts.log = newLog
      parts.values = []
      parts.opened = 'none'
      parts.checkpoints = []
      forge(
        parts,
        makeSignerKey(
          newLog,
          'log',
          key === undefined ? new Uint8Array(32) : new Uint8Array(32).fill(1),
        ),
      )
    },
  },
  {
    name: 'what a time stamp stamps is something else',
    expect: 'tampered',
    files: (files, random) =>
      changeAnchor(files, random, 'timestamp', (body) => {
        const at = Buffer.from(body).indexOf(Buffer.of(0x04, 0x20)) + 2 + random(32)
        body[at] = (body[at] as number) ^ (1 << random(8))
        return body
      }),
  },
  {
    name: 'a record in a repository names another root',
    expect: 'tampered',
    files: (files, random) =>
      changeAnchor(files, random, 'record', (body) => {
        const record = JSON.parse(textOf(body) ?? '') as Record<string, unknown>
        delete record['note']
        return utf8(JSON.stringify({ ...record, root: toBase64(leafHashOf(utf8('x'))) }))
      }),
  },
]

function changeAnchor(
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
function nameAsBefore(files: Files, log: MadeLog): void {
  const name = { index: Math.floor(log.entries.length / 256), width: log.entries.length % 256 }
  const [path] = [...files.keys()].filter(
    (one) => one.startsWith('tile/entries/') && one.includes('.p/'),
  )
  if (path === undefined) return
  files.set(tilePath('entries', name), files.get(path) as Uint8Array)
  if (path !== tilePath('entries', name)) files.delete(path)
}

/** An older state of the log, honestly signed. */
function replay(parts: LogParts, random: Random, log: MadeLog): boolean {
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
