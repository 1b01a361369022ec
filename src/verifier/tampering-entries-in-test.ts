// Ways to tamper with a log before its bundle is made, each at a random place, and what a verifier must say.
import { textOf, toHex, utf8 } from '../ledger/bytes.ts'
import { noHash } from '../ledger/entry.ts'
import { formatNote, parseNote } from '../ledger/note/note.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import {
  documentOf,
  bytesOf,
  edit,
  relink,
  forge,
  pick,
  find,
  flip,
  nameAsBefore,
  replay,
} from './tampering-tools-in-test.ts'
import type { Tampering } from './tampering-tools-in-test.ts'

export const entryTamperings: Tampering[] = [
  {
    name: 'a bit of an entry is flipped',
    expect: 'tampered',
    parts(parts, random) {
      const seq = pick(parts, random)
      parts.entries[seq] = flip(parts.entries[seq] as Uint8Array, random)
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
    name: 'the end is cut off with the head, and somebody kept the head',
    expect: 'tampered',
    pins: (log) => log.checkpoints.slice(-1),
    parts: (parts, random, log) => replay(parts, random, log),
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
]
