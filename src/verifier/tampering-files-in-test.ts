// Ways to tamper with the files of a bundle, each at a random place, and what a verifier must say.
import { formatBundle, parseBundle } from '../ledger/tree/tiles.ts'
import { fromHex, textOf, toBase64, toHex, utf8 } from '../ledger/bytes.ts'
import { parseCheckpoint } from '../ledger/note/checkpoint.ts'
import { formatNote, parseNote } from '../ledger/note/note.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import type { KeptCheckpoint } from '../ledger/bundle/format.ts'
import {
  restate,
  pickPath,
  flip,
  replaceText,
  changeLine,
  changeAnchor,
} from './tampering-tools-in-test.ts'
import type { Tampering } from './tampering-tools-in-test.ts'

export const fileTamperings: Tampering[] = [
  {
    name: 'a bit of an entry is flipped in the file only',
    expect: 'tampered',
    files(files, random) {
      const path = pickPath(files, random, /^tile\/entries/) as string
      files.set(path, flip(files.get(path) as Uint8Array, random))
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
    name: 'an old checkpoint is replayed over the whole log',
    expect: 'found',
    files(files, random, log) {
      const old = log.checkpoints[random(log.checkpoints.length - 1)] as KeptCheckpoint
      files.set('checkpoint', utf8(old.note))
      return old.size < log.entries.length
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
