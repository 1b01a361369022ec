// Bundles at the edges of docs/ledger.md: small changes of one file, and what an operator with the key could sign.
import { textOf, toBase64, toHex, utf8 } from '../ledger/bytes.ts'
import { formatCheckpoint } from '../ledger/note/checkpoint.ts'
import { formatVerifierKey } from '../ledger/note/key.ts'
import { formatNote, parseNote } from '../ledger/note/note.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import { leafHashOf } from '../ledger/tree/hash.ts'
import { bundleOf, makeLog } from './log-in-test.ts'
import type { LogParts } from './log-in-test.ts'
import type { BundleCase } from './second-in-test.ts'
import { bytesOf, documentOf, edit, forge, relink } from './tampering-tools-in-test.ts'
import type { Document, Files } from './tampering-tools-in-test.ts'

/** `exit`: what the page asks for. */
export type Edge = BundleCase & { name: string; exit: number }
type Row = Record<string, unknown>

const log = makeLog({
  ...{ seed: 9, entries: 40, checkpointEvery: 6, erasures: 2, recoveries: 0 },
  ...{ changesKey: false, witnesses: 2, opened: 'all' },
})
const clean = await bundleOf(log)
const { policy } = log
const now = new Date(log.nowMs).toISOString()
const keys = log.logKeys.map(({ verifier }) => formatVerifierKey(verifier))
const text = parseNote(log.note)?.text ?? ''
const emptyRoot = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

export async function makeEdges(): Promise<Edge[]> {
  return [
    ...manifestEdges(),
    ...noteEdges(),
    ...lineEdges(),
    ...policyEdges(),
    ...(await entryEdges()),
    ...(await recoveryEdges()),
    ...(await emptyEdges()),
  ]
}

function change(path: string, how: (before: string) => string): Files {
  const before = textOf(clean.get(path) ?? new Uint8Array(0)) ?? ''
  const after = how(before)
  if (after === before) throw new Error(`nothing was changed in ${path}`)
  return new Map(clean).set(path, utf8(after))
}
/** Changes the first line that `holds`. */
function changeRow(path: string, how: (row: Row) => unknown, holds?: (row: Row) => boolean): Files {
  return change(path, (before) => {
    const lines = before.trimEnd().split('\n')
    const at = lines.findIndex((line) => holds?.(JSON.parse(line) as Row) !== false)
    const row = JSON.parse(lines[at] ?? '') as Row
    return `${lines.with(at, JSON.stringify(how(row))).join('\n')}\n`
  })
}
const manifest = (how: (row: Row) => unknown) =>
  change('bundle.json', (before) => JSON.stringify(how(JSON.parse(before) as Row)))
const checkpoint = (note: string) => change('checkpoint', () => note)
const sign = (what: string, signers = [...log.logKeys, ...log.witnessKeys]) =>
  formatNote({
    text: what,
    signatures: signers.map((key) => key.sign(what, Math.floor(log.nowMs / 1000))),
  })
const omit = (row: Row, ...fields: string[]) =>
  Object.fromEntries(Object.entries(row).filter(([field]) => !fields.includes(field)))
const without = (...paths: string[]) =>
  new Map([...clean].filter(([path]) => !paths.includes(path)))
const head = (size: number, root = new Uint8Array(32), origin = log.log) =>
  formatCheckpoint({ origin, size, root })

function manifestEdges(): Edge[] {
  const huge = without('bundle.json').set('checkpoint', utf8(sign(head(500_000_000))))
  const cases: [string, number, Files][] = [
    ['it is missing', 2, without('bundle.json')],
    ['it and checkpoint are missing', 3, without('bundle.json', 'checkpoint')],
    ['it is no JSON', 1, change('bundle.json', (before) => `${before}}`)],
    ['it has a byte order mark', 1, change('bundle.json', (before) => `\uFEFF${before}`)],
    ['a number is written as 40.0', 0, change('bundle.json', (before) => before.replace(/"size": ?40/, '"size":40.0'))], // prettier-ignore
    ['it says one entry fewer', 2, manifest((row) => ({ ...row, size: 39 }))],
    ['it says one entry more', 2, manifest((row) => ({ ...row, size: 41 }))],
    ['it says too many entries', 3, manifest((row) => ({ ...row, size: 400_000_001 }))],
    ['it says half an entry', 1, manifest((row) => ({ ...row, size: 40.5 }))],
    ['it is null', 3, manifest(() => null)],
    ['it has another format', 3, manifest((row) => ({ ...row, format: 'zip' }))],
    ['it has version 2', 3, manifest((row) => ({ ...row, version: 2 }))],
    ['it has version "1"', 1, manifest((row) => ({ ...row, version: '1' }))],
    ['it names another log', 1, manifest((row) => ({ ...row, log: 'x' }))],
    ['its log is no name', 1, manifest((row) => ({ ...row, log: 'a\u00A0b' }))],
    ['it has another word for opened', 1, manifest((row) => ({ ...row, opened: 'most' }))],
    ['it says more checkpoints', 2, manifest((row) => ({ ...row, checkpoints: 99 }))],
    ['it says fewer checkpoints', 0, manifest((row) => ({ ...row, checkpoints: 0 }))],
    ['it says more values', 2, manifest((row) => ({ ...row, openedValues: 999 }))],
    ['what is for people is missing', 0, manifest((row) => omit(row, 'madeAt', 'product'))],
    ['it is missing and checkpoint says too many', 3, huge],
  ]
  return cases.map(([name, exit, files]) => ({
    name: `bundle.json: ${name}`,
    ...{ exit, files, policy },
  }))
}

function noteEdges(): Edge[] {
  const own = log.note.split('\n')[4] ?? ''
  const others = (count: number) => '— x AAAAAAA=\n'.repeat(count)
  const cases: [string, number, string][] = [
    ['a line more in the text', 0, sign(`${text}more\n`)],
    ['an empty line in the text', 1, sign(`${text}\nmore\n`)],
    ['no newline at the end', 1, log.note.slice(0, -1)],
    ['lines that end with CR LF', 1, log.note.replaceAll('\n', '\r\n')],
    ['a byte order mark', 1, `\uFEFF${log.note}`],
    ['a tab in the text', 1, sign(`${text}a\tb\n`)],
    ['a size with a zero before it', 1, sign(text.replace('\n40\n', '\n040\n'))],
    ['a root of 31 bytes', 1, sign(`${log.log}\n40\n${toBase64(new Uint8Array(31))}\n`)],
    ['no root', 1, sign(`${log.log}\n40\n`)],
    ['a size of thirty digits', 1, sign(text.replace('\n40\n', `\n${'9'.repeat(30)}\n`))],
    ['a signature of no bytes', 1, `${log.note}— x AAAAAA==\n`],
    ['a signature of one byte by somebody', 0, `${log.note}— x AAAAAAA=\n`],
    ['base64 without padding', 1, `${log.note}— x AAAAAAA\n`],
    ['base64 in another form', 1, `${log.note}— x AAAAAAB=\n`],
    ['a name with a space in it', 1, `${log.note}— x\u00A0y AAAAAAA=\n`],
    ['64 signatures', 0, log.note + others(61)],
    ['65 signatures', 1, log.note + others(62)],
    ['a second signature of a key, which is wrong', 0, `${log.note}${own.slice(0, -8)}AAAAAAA=\n`],
    ['a wrong cosignature of no length', 1, log.note.replace(/.{8}\n$/, '\n')],
    ['no signature of the log', 2, sign(text, log.witnessKeys)],
    ['one of two cosignatures', 0, sign(text, [...log.logKeys, ...log.witnessKeys.slice(1)])],
    ['another log', 1, sign(text.replace(log.log, 'other.example'))],
  ]
  const pinned: [string, number, string][] = [
    ['of more entries', 1, sign(head(41))],
    ['of another log', 1, sign(head(40, undefined, 'other.example'))],
    ['signed by nobody known', 0, log.note.replaceAll('— ', '— z')],
    ['that is none', 3, 'rubbish'],
    ['with a wrong signature', 3, log.note.replace('40\n', '39\n')],
  ]
  return [
    ...cases.map(([name, exit, note]) => ({
      name: `a checkpoint with ${name}`,
      ...{ exit, policy, files: checkpoint(note) },
    })),
    ...pinned.map(([name, exit, note]) => ({
      name: `a pinned checkpoint ${name}`,
      ...{ exit, policy, files: clean, pins: [note] },
    })),
  ]
}

function lineEdges(): Edge[] {
  const paths = ['checkpoints.jsonl', 'anchors.jsonl', 'opened.jsonl']
  const everywhere: [string, number, (before: string) => string][] = [
    ['the last line does not end', 1, (before) => before.slice(0, -1)],
    ['an empty line', 1, (before) => before.replace('\n', '\n\n')],
    ['CR LF', 0, (before) => before.replaceAll('\n', '\r\n')],
    ['a byte order mark', 1, (before) => `\uFEFF${before}`],
    ['an array', 1, (before) => `${before}[]\n`],
    ['a field that nobody knows', 0, (before) => before.replace('{', '{"x":1.5,')],
    ['a line of 2,000,000 bytes and more', 1, (before) => before.replace('{', `{"x":"${'a'.repeat(2_000_000)}",`)], // prettier-ignore
  ]
  const isRecord = ({ kind }: Row) => kind === 'record'
  const isStamp = ({ kind }: Row) => kind === 'timestamp'
  const body = (how: (bytes: Buffer) => Uint8Array) => (row: Row) => ({
    ...row,
    body: toBase64(how(Buffer.from(row['body'] as string, 'base64'))),
  })
  const record = (how: (record: Row) => unknown) =>
    changeRow(
      'anchors.jsonl',
      body((bytes) => utf8(JSON.stringify(how(JSON.parse(bytes.toString()) as Row)))),
      isRecord,
    )
  const stamp = (how: (bytes: Buffer) => Uint8Array) =>
    changeRow('anchors.jsonl', body(how), isStamp)
  const cases: [string, number, Files][] = [
    ['a record with its note only', 0, record(({ note }) => ({ note }))],
    ['a record with its fields only', 0, record((row) => omit(row, 'note'))],
    ['a record whose note is null', 1, record((row) => ({ ...row, note: null }))],
    ['a record that is empty', 1, record(() => ({}))],
    ['a record with a wrong signature', 0, record((row) => ({ ...row, note: (row['note'] as string).replace(/.{8}\n$/, 'AAAAAAA=\n') }))], // prettier-ignore
    ['a record with a note and another size', 1, record(({ note }) => ({ note, size: 1 }))],
    ['a time stamp and a byte', 1, stamp((bytes) => Buffer.concat([bytes, Buffer.of(0)]))],
    ['a time stamp that is cut off', 1, stamp((bytes) => bytes.subarray(0, -1))],
    ['a time stamp of another log', 2, changeRow('anchors.jsonl', (row) => ({ ...row, origin: 'z' }), isStamp)], // prettier-ignore
    ['a time stamp with a length in a longer form', 1, stamp((bytes) => Buffer.concat([Buffer.of(0x30, 0x82, 0), bytes.subarray(2)]))], // prettier-ignore
    ['an anchor without a time', 1, changeRow('anchors.jsonl', (row) => omit(row, 'at'))],
    ['an anchor of a kind that nobody knows', 0, changeRow('anchors.jsonl', (row) => ({ ...row, kind: 'x' }))], // prettier-ignore
    ['a salt in capitals', 1, changeRow('opened.jsonl', (row) => ({ ...row, salt: String(row['salt']).toUpperCase() }))], // prettier-ignore
    ['a value with a lone surrogate', 1, changeRow('opened.jsonl', (row) => ({ ...row, value: '\uD800' }))], // prettier-ignore
    ['a value of no field', 1, changeRow('opened.jsonl', (row) => ({ ...row, field: '__proto__' }))], // prettier-ignore
    ['values out of order', 1, change('opened.jsonl', (before) => `${before.trimEnd().split('\n').toReversed().join('\n')}\n`)], // prettier-ignore
    ['one value fewer', 1, change('opened.jsonl', (before) => before.slice(before.indexOf('\n') + 1))], // prettier-ignore
    ['no opened.jsonl', 2, without('opened.jsonl')],
  ]
  return [
    ...paths.flatMap((path) =>
      everywhere.map(([name, exit, how]) => ({
        name: `${path}: ${name}`,
        ...{ exit, policy, files: change(path, how) },
      })),
    ),
    ...cases.map(([name, exit, files]) => ({
      ...{ name, exit, files, policy },
    })),
  ]
}

function policyEdges(): Edge[] {
  const cases: [string, number, string | Uint8Array][] = [
    ['without a newline at its end', 0, policy.slice(0, -1)],
    ['with CR LF', 3, policy.replaceAll('\n', '\r\n')],
    ['with comments, tabs and an address', 0, `\t# x\n${policy.replace('\n', ' https://x\n').replaceAll(' ', ' \t')}`], // prettier-ignore
    ['that is not UTF-8', 3, Buffer.from(`${policy}# é\n`, 'latin1')],
    ['without a quorum', 3, policy.replace(/quorum.*\n/, '')],
    ['with two quorums', 3, `${policy}quorum none\n`],
    ['with the quorum none', 0, policy.replace('quorum enough', 'quorum none')],
    ['with a group of all', 0, policy.replace('enough 1', 'enough all')],
    ['with a group of three of two', 3, policy.replace('enough 1', 'enough 3')],
    ['with a number with a zero before it', 3, policy.replace('enough 1', 'enough 01')],
    ['with a member twice', 3, policy.replace('w0 w1', 'w0 w0')],
    ['with a member in two groups', 3, policy.replace('quorum', 'group g 1 w0\nquorum')],
    ['with a group in a group', 0, policy.replace('quorum enough', 'group g 1 enough\nquorum g')],
    ['with a log twice', 3, policy.replace(/^(log .*\n)/, '$1$1')],
    ['without a log', 3, policy.replace(/^log .*\n/, '')],
    ['with a key that does not fit its ID', 3, policy.replace(/\+[0-9a-f]{8}\+/, '+00000000+')],
    ['with a word that nobody knows', 3, `${policy}foo bar\n`],
  ]
  const times: [string, string, number][] = [
    ['2026-11-21T03:20Z', '1h', 0],
    ['2030-01-01T00:00:00.5Z', '1h', 2],
    [now, '1y', 3],
    ['2026-11-21', '1h', 3],
    ['2026-02-30T03:20:00Z', '1h', 3],
    ['2026-11-21T24:00:00Z', '1h', 3],
  ]
  return [
    ...cases.map(([name, exit, content]) => ({
      name: `a policy ${name}`,
      ...{ exit, files: clean, policy: content },
    })),
    ...times.map(([time, maxAge, exit]) => ({
      name: `--now ${time} --max-age ${maxAge}`,
      ...{ exit, files: clean, policy, now: time, maxAge },
    })),
  ]
}

function partsOf(): LogParts {
  const { entries, checkpoints, anchors, note } = log
  return structuredClone({ log: log.log, entries, checkpoints, anchors, note, values: [], opened: 'none' }) // prettier-ignore
}

/** Entry 5 is another, and the operator signs it. */
async function entryEdges(): Promise<Edge[]> {
  const documents: [string, number, (document: Document) => unknown][] = [
    ['a key named __proto__', 0, (one) => (one.pub = JSON.parse('{"__proto__":{"a":1}}') as Row)],
    ['keys in the order of UTF-16', 0, (one) => (one.pub = { '\u{1F600}': 1, '\uFB33': 2, '\u0080': 3, '\r': 4, 10: 5, 9: 6, '': 7 })], // prettier-ignore
    ['control characters', 0, (one) => (one.pub = { x: '\0\u0001\u001F\u007F\u2028\uFEFF\uFFFF/\\"' })], // prettier-ignore
    ['the largest integer', 0, (one) => (one.pub = { x: Number.MAX_SAFE_INTEGER })],
    ['a larger integer', 1, (one) => (one.pub = { x: 2 ** 53 })],
    ['a fraction', 1, (one) => (one.pub = { x: 1.5 })],
    ['a depth of 64', 0, (one) => (one.pub = { x: nested(62) })],
    ['a depth of 65', 1, (one) => (one.pub = { x: nested(63) })],
    ['a field more', 1, (one) => Object.assign(one, { x: 1 })],
    ['version 2', 1, (one) => Object.assign(one, { v: 2 })],
    ['a type of 64 characters', 0, (one) => (one.type = 'a'.repeat(64))],
    ['a type of 65 characters', 1, (one) => (one.type = 'a'.repeat(65))],
    ['a type with two dots together', 1, (one) => (one.type = 'a..b')],
    ['a day that is none', 1, (one) => (one.t = '2026-02-29T00:00:00.000Z')],
    ['a leap second', 1, (one) => (one.t = '2026-12-31T23:59:60.000Z')],
    ['an intent of action -1', 1, (one) => Object.assign(one, { type: 'action.intent', pub: { action: -1 } })], // prettier-ignore
    ['a result of an action that was stopped before its intent', 0, (one) => Object.assign(one, { type: 'action.result', pub: { action: 7_000_000, outcome: 'superseded' } })], // prettier-ignore
    ['a result of an action that was done without an intent', 1, (one) => Object.assign(one, { type: 'action.result', pub: { action: 7_000_000, outcome: 'done' } })], // prettier-ignore
    ['an erasure of nothing', 0, (one) => Object.assign(one, { type: 'account.erased', pub: { erased: [] } })], // prettier-ignore
    ['an erasure of itself', 1, (one) => Object.assign(one, { type: 'account.erased', pub: { erased: [[0, 5]] } })], // prettier-ignore
    ['an erasure of null', 1, (one) => Object.assign(one, { type: 'account.erased', pub: { erased: null } })], // prettier-ignore
    ['a recovery under the same name', 1, (one) => Object.assign(one, { type: 'log.recovered', pub: { previousLog: log.log, size: 5, previousSize: 9, previousRoot: emptyRoot } })], // prettier-ignore
  ]
  const raw: [string, number, string][] = [
    ['-0', 1, '-0'],
    ['1.0', 1, '1.0'],
    ['-12', 0, '-12'],
    ['an escape in capitals', 1, String.raw`"\u001F"`],
    ['an escape in lower case', 0, String.raw`"\u001f"`],
    ['an escape that needs none', 1, String.raw`"\/"`],
    ['a lone surrogate', 1, String.raw`"\ud800"`],
    ['a key twice', 1, '{"b":1,"b":1}'],
    ['NaN', 1, 'NaN'],
    ['five thousand digits', 1, '9'.repeat(5000)],
    ['sixty thousand brackets', 1, '['.repeat(60_000)],
  ]
  const made = async (name: string, exit: number, how: (parts: LogParts) => void) => {
    const parts = partsOf()
    how(parts)
    forge(parts, log.logKeys[0])
    return { name: `an entry with ${name}`, exit, keys, files: await bundleOf(parts) }
  }
  return await Promise.all([
    ...documents.map(([name, exit, how]) =>
      made(name, exit, (parts) => edit(parts, 5, (one) => void how(one))),
    ),
    ...raw.map(([name, exit, value]) =>
      made(name, exit, (parts) => {
        edit(parts, 5, (one) => (one.pub = { x: 0 }))
        const before = textOf(parts.entries[5] ?? new Uint8Array(0)) ?? ''
        parts.entries[5] = utf8(before.replace('"x":0', `"x":${value}`))
        relink(parts, 6)
      }),
    ),
  ])
}

const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth)) as unknown

/** A log that goes on under another name, with the key of the first. Entries 40 to 44 are lost. */
async function recoveryEdges(): Promise<Edge[]> {
  const secret = new Uint8Array(32).fill(5)
  const key = makeSignerKey(log.log, 'log', secret)
  const root = new Uint8Array(32).fill(6)
  const lost = (size: number, at: Uint8Array<ArrayBuffer>) => ({
    size,
    note: sign(head(size, at), [key]),
  })
  const made = async (
    name: string,
    exit: number,
    given: { next?: string; lost?: [number, Uint8Array<ArrayBuffer>]; pub?: Row },
  ) => {
    // prettier-ignore
    const next = `${log.log}${given.next ?? '/recovered-2'}`
    const parts = partsOf()
    const size = parts.entries.length
    const before = new Uint8Array(parts.entries.at(-1) ?? [])
    const pub = { previousLog: log.log, size, previousSize: 45, previousRoot: toHex(root) }
    const idem = toHex(leafHashOf(utf8(next)))
    const prev = toHex(leafHashOf(before))
    parts.entries.push(
      bytesOf({
        ...documentOf(before),
        ...{ log: next, type: 'log.recovered', seq: size, com: {}, idem, prev },
        pub: { ...pub, ...given.pub },
      }),
    )
    Object.assign(parts, { log: next, checkpoints: [] })
    forge(parts, makeSignerKey(next, 'log', secret))
    if (given.lost !== undefined) parts.checkpoints.push(lost(...given.lost))
    const files = await bundleOf(parts)
    const trusted = [formatVerifierKey(key.verifier)]
    return { name: `a recovery ${name}`, exit, keys: trusted, files }
  }
  return await Promise.all([
    made('with the same key', 2, {}),
    made('that lost nothing', 0, { pub: { previousSize: 40 } }),
    made('with a name that has no key of its own', 2, {
      ...{ next: '/recovered-1', pub: { previousSize: 40 } },
    }), // prettier-ignore
    made('with the head that was lost', 2, { lost: [45, root] }),
    made('with another head of that size', 1, { lost: [45, new Uint8Array(32)] }),
    made('with a head beyond it', 1, { lost: [46, root] }),
    made('with a head between', 2, { lost: [43, new Uint8Array(32)] }),
    made('from another place', 1, { pub: { size: 39 } }),
    made('from another log', 1, { pub: { previousLog: 'x' } }),
    made('without a root', 1, { pub: { previousRoot: 'x' } }),
  ])
}

async function emptyEdges(): Promise<Edge[]> {
  const note = sign(head(0, Buffer.from(emptyRoot, 'hex')))
  const none = { entries: [], checkpoints: [], anchors: [], values: [] }
  const files = await bundleOf({ ...none, log: log.log, note, opened: 'all' })
  return [{ name: 'a log of no entries', exit: 0, files, policy }]
}
