// Honest logs for tests and benches, the same for the same seed: entries, checkpoints, cosignatures, records, time
// stamps, erasures, recoveries, a change of key. And bundles of them in memory, to be tampered with.
import { writeBundle } from '../ledger/bundle/write-bundle.ts'
import type { BundleTarget } from '../ledger/bundle/write-bundle.ts'
import type { KeptAnchor, KeptCheckpoint, KeptValue, OpenedMode } from '../ledger/bundle/format.ts'
import { toBase64, toHex, utf8 } from '../ledger/bytes.ts'
import { commitment, makeEntry, noHash } from '../ledger/entry.ts'
import { formatCheckpoint, parseCheckpoint } from '../ledger/note/checkpoint.ts'
import { formatVerifierKey } from '../ledger/note/key.ts'
import { formatNote, parseNote } from '../ledger/note/note.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import type { SignerKey } from '../ledger/note/signer-key.ts'
import { sha256 } from '../ledger/platform.ts'
import { createFrontier } from '../ledger/tree/frontier.ts'
import type { BundleFiles } from './bundle-files.ts'
import { makeTimeStamp } from './time-stamp-in-test.ts'

export type Random = (below: number) => number

/** Mulberry32: the same numbers for the same seed. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), 1 | state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) % below
  }
}

export type LogShape = {
  seed: number
  entries: number
  checkpointEvery: number
  erasures: number
  recoveries: number
  /** The log signs with another key from its middle on. */
  changesKey: boolean
  witnesses: number
  opened: OpenedMode
}

/** What a bundle is made of: tampering changes this, or the files. */
export type LogParts = {
  log: string
  entries: Uint8Array[]
  checkpoints: KeptCheckpoint[]
  anchors: KeptAnchor[]
  values: KeptValue[]
  note: string
  opened: OpenedMode
}

export type MadeLog = LogParts & {
  policy: string
  logKeys: SignerKey[]
  witnessKeys: SignerKey[]
  /** Just after the last checkpoint. */
  nowMs: number
}

const startMs = Date.parse('2026-11-21T03:20:00.123Z')
const privateFields = ['account', 'blob', 'record'] as const

export function makeLog(shape: LogShape): MadeLog {
  const random = createRandom(shape.seed)
  const seedBytes = () => Uint8Array.from({ length: 32 }, () => random(256))
  const nameOf = (era: number) => `ledger.example/${shape.seed}${era === 0 ? '' : `-${era}`}`
  const makeKey = (era: number) => makeSignerKey(nameOf(era), 'log', seedBytes())
  const witnessKeys = Array.from({ length: shape.witnesses }, (_, i) =>
    makeSignerKey(`witness${i}.example`, 'witness', seedBytes()),
  )
  const logKeys = [makeKey(0)]
  let key = logKeys[0] as SignerKey
  let era = 0
  let changes = shape.changesKey ? Math.floor(shape.entries / 2) : -1
  let frontier = createFrontier()
  let [atMs, prev, actions] = [startMs, noHash, 0]
  const made: LogParts = {
    log: nameOf(0),
    ...{ entries: [], checkpoints: [], anchors: [], values: [], note: '', opened: shape.opened },
  }
  const openActions: number[] = []
  let recoveries = shape.recoveries

  const add = (type: string, pub: Record<string, unknown>, fields: readonly string[]) => {
    const seq = made.entries.length
    atMs += random(2000)
    const com: Record<string, string> = {}
    for (const field of fields.toSorted()) {
      const value = { seq, field, salt: seedBytes(), value: `${field} ${seq} ä€😀` }
      com[field] = commitment(field, value.salt, value.value)
      made.values.push(value)
    }
    const entry = makeEntry({
      ...{ log: made.log, seq, atMs, prev, type, pub, com },
      idem: `${shape.seed}:${seq}:${made.log}`,
      actor: random(4) === 0 ? { kind: 'person', principal: random(9) } : { kind: 'system' },
    })
    prev = entry.hash
    made.entries.push(new Uint8Array(entry.bytes))
    frontier.push(Uint8Array.from(Buffer.from(entry.hash, 'hex')))
  }
  const sign = () => {
    const size = made.entries.length
    const text = formatCheckpoint({ origin: made.log, size, root: frontier.root() })
    const atSeconds = Math.floor(atMs / 1000) + 1
    const signatures = [key, ...witnessKeys].map((one) => one.sign(text, atSeconds))
    made.note = formatNote({ text, signatures })
    made.checkpoints.push({ size, note: made.note })
    if (random(3) === 0) anchor(made, frontier.root(), random(2) === 0 ? 'record' : 'timestamp')
  }
  const erase = () => {
    const to = made.entries.length - 1
    const from = Math.max(0, to - random(12))
    made.values = made.values.filter(({ seq }) => seq < from || seq > to)
    add('account.erased', { account: random(99), basis: 'left', erased: [[from, to]] }, [])
  }
  /** The database comes back from a backup: what was signed after it is lost, and a new log goes on. */
  const recover = () => {
    const size = made.entries.length
    const kept = { prev, frontier: frontier.bytes(), values: made.values.length, atMs, actions }
    const open = [...openActions]
    for (let lost = 1 + random(20); lost > 0; lost -= 1) addOrdinary()
    sign()
    const previous = {
      previousLog: made.log,
      previousSize: made.entries.length,
      previousRoot: toHex(frontier.root()),
    }
    made.entries.length = size
    made.values.length = kept.values
    frontier = createFrontier({ size, bytes: kept.frontier })
    ;({ prev, actions } = kept)
    openActions.splice(0, openActions.length, ...open)
    era += 1
    made.log = nameOf(era)
    key = makeKey(era)
    logKeys.push(key)
    add('log.recovered', { ...previous, size }, [])
  }
  const addOrdinary = () => {
    const what = random(4)
    if (what === 0) {
      actions += 1
      openActions.push(actions)
      add('action.intent', { action: actions, kind: 'takedown', revision: 1 }, ['account', 'blob'])
    } else if (what === 1 && openActions.length > 0)
      add(
        'action.result',
        { action: openActions.splice(random(openActions.length), 1)[0], outcome: 'done' },
        [],
      )
    else
      add(
        'decision',
        { bank: `b${random(9)}`, distance: random(32), note: 'ä€😀\n"\\' },
        privateFields.slice(random(3)),
      )
  }

  while (made.entries.length < shape.entries) {
    const size = made.entries.length
    if (size === changes) {
      key = makeKey(era)
      logKeys.push(key)
      changes = -1
    }
    const rest = shape.entries - size
    if (size > 2 && shape.erasures > 0 && random(Math.ceil(rest / shape.erasures)) === 0) {
      erase()
      shape = { ...shape, erasures: shape.erasures - 1 }
    } else if (
      size > 2 &&
      rest > 1 &&
      recoveries > 0 &&
      random(Math.ceil(rest / recoveries)) === 0
    ) {
      recoveries -= 1
      recover()
    } else addOrdinary()
    if (random(shape.checkpointEvery) === 0) sign()
  }
  sign()
  made.checkpoints.sort((a, b) => a.size - b.size)
  made.anchors.sort((a, b) => a.size - b.size)
  if (shape.opened === 'none') made.values = []
  if (shape.opened === 'some') made.values = made.values.filter(() => random(2) === 0)
  return {
    ...made,
    policy: policyOf(logKeys, witnessKeys),
    logKeys,
    witnessKeys,
    nowMs: atMs + 2000,
  }
}

/** All but one of the witnesses are asked for; one of one. */
function policyOf(logKeys: readonly SignerKey[], witnessKeys: readonly SignerKey[]): string {
  const names = witnessKeys.map((_, i) => `w${i}`)
  return [
    ...logKeys.map(({ verifier }) => `log ${formatVerifierKey(verifier)}`),
    ...witnessKeys.map(({ verifier }, i) => `witness w${i} ${formatVerifierKey(verifier)}`),
    ...(names.length > 0
      ? [`group enough ${Math.max(1, names.length - 1)} ${names.join(' ')}`]
      : []),
    `quorum ${names.length > 0 ? 'enough' : 'none'}`,
    '',
  ].join('\n')
}

function anchor(made: LogParts, root: Uint8Array, kind: 'record' | 'timestamp'): void {
  const size = made.entries.length
  const head = { origin: made.log, size, root: toBase64(root) }
  const bodies = {
    record: () => utf8(JSON.stringify({ ...head, note: made.note })),
    timestamp: () => makeTimeStamp(sha256(utf8(made.note)), '20261121032000Z'),
  }
  const who = kind === 'record' ? 'at://did:example:log/checkpoint/1' : 'https://tsa.example'
  made.anchors.push({
    size,
    origin: made.log,
    kind,
    who,
    body: bodies[kind](),
    at: new Date(startMs).toISOString(),
  })
}

/** The bundle of these parts, as files in memory. */
export async function bundleOf(parts: LogParts): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>()
  const text = parseNote(parts.note)?.text
  const target: BundleTarget = {
    write: (path, bytes) => Promise.resolve(void files.set(path, bytes)),
    append(path, bytes) {
      const before = files.get(path) ?? new Uint8Array(0)
      files.set(path, new Uint8Array(Buffer.concat([before, bytes])))
      return Promise.resolve()
    },
    flush: () => Promise.resolve(),
  }
  await writeBundle(target, {
    log: parts.log,
    size: (text === undefined ? undefined : parseCheckpoint(text)?.size) ?? parts.entries.length,
    madeAt: new Date(startMs).toISOString(),
    opened: parts.opened,
    product: 'blobwatch test',
    note: parts.note,
    entries: onePage(parts.entries),
    checkpoints: onePage(parts.checkpoints),
    anchors: onePage(parts.anchors),
    values: parts.opened === 'none' ? undefined : onePage(parts.values),
  })
  return files
}

export function memoryFiles(files: ReadonlyMap<string, Uint8Array>): BundleFiles {
  return {
    read: (path) => Promise.resolve(files.get(path)),
    parts(path) {
      const bytes = files.get(path)
      return Promise.resolve(bytes && oneByOne(bytes))
    },
  }
}

async function* onePage<T>(page: readonly T[]): AsyncGenerator<readonly T[]> {
  await Promise.resolve()
  yield page
}

/** In parts that end anywhere. */
async function* oneByOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  await Promise.resolve()
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000)
}
