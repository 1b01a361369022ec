// Verifies a bundle from its files and the keys that are believed, and from nothing else.
//
// Promises: every stored byte of entries, tiles and checkpoints is hashed again; what was not looked at is told. Memory
// does not grow with the bundle but for some bytes an entry. Assumes only SHA-256 and Ed25519.
// Tampering outranks incompleteness: a bundle with both is tampered with.
import type { OpenedMode } from '../ledger/bundle/format.ts'
import { textOf, toHex } from '../ledger/bytes.ts'
import { parseCheckpoint } from '../ledger/note/checkpoint.ts'
import type { Checkpoint } from '../ledger/note/checkpoint.ts'
import { parseNote } from '../ledger/note/note.ts'
import { createEntryChecks } from './check-entries.ts'
import { createHeadChecks } from './check-heads.ts'
import type { CheckedStamp, HeadChecks } from './check-heads.ts'
import { createOpenedChecks } from './check-opened.ts'
import type { BundleFiles } from './bundle-files.ts'
import { createFindings } from './findings.ts'
import type { Finding, Findings } from './findings.ts'
import { createHeadLines } from './head-lines.ts'
import { admittedLosses, lossSentence } from './eras.ts'
import { bundleEntriesMax, manifestOf, parseManifest, tooManyEntries } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { readAgain, readEntries } from './read-entries.ts'
import type { Run } from './read-entries.ts'
import { createTileBuilder } from '../ledger/tree/tile-builder.ts'
import type { Trust } from './trust.ts'

export type Verdict = 'true' | 'tampered' | 'incomplete'
/** Entries `from` to `to` of `log` are lost, as entry `at` admits. */
export type Loss = { log: string; from: number; to: number; at: number }

export type BundleReport = {
  verdict: Verdict
  findings: Finding[]
  tampered: number
  incomplete: number
  log: string
  /** How many entries were read, and the root over them. */
  entries: number
  root: string
  firstTime: string | undefined
  lastTime: string | undefined
  openIntents: number
  checkpoints: number
  lostCheckpoints: number
  losses: Loss[]
  pins: number
  records: number
  stamps: CheckedStamp[]
  quorum: string
  /** The newest checkpoint that meets the quorum of witnesses, and since when. */
  anchored: { size: number; at: string } | undefined
  opened: { mode: OpenedMode; opened: number; erased: number; unopened: number }
}

export type Pin = { name: string; checkpoint: Checkpoint }

export type VerifyOptions = {
  files: BundleFiles
  trust: Trust
  nowMs: number
  /** How old the newest anchored checkpoint may be. */
  maxAgeMs?: number | undefined
  /** Checkpoints that somebody kept. */
  pins: readonly Pin[]
  /** Any number: which facts look alike at first changes with it. */
  seed: number
  onProgress?: ((done: number, of: number) => void) | undefined
}

/** The report, or in words why there can be none. */
export async function verifyBundle(
  options: VerifyOptions,
): Promise<BundleReport | { usage: string }> {
  const { files, trust } = options
  const findings = createFindings()
  const note = await files.read('checkpoint')
  const manifest = await readManifest(files, note, findings)
  if ('usage' in manifest) return manifest
  const entries = createEntryChecks({ findings, entries: manifest.size, seed: options.seed })
  const heads = createHeadChecks({
    findings,
    trust,
    eras: () => {
      const eras = entries.eras()
      // A log without entries has its name from the bundle alone.
      return eras.length === 0 ? [{ log: manifest.log, from: 0 }] : eras
    },
  })
  const run: Run = {
    files,
    manifest,
    findings,
    entries,
    opened: createOpenedChecks(findings, manifest.opened),
    tree: createTileBuilder(),
    lines: await createHeadLines({ files, findings, heads }),
    roots: new Map(
      [...options.pins.map(({ checkpoint }) => checkpoint), ...signedHead(note)].map(({ size }) => [
        size,
        undefined,
      ]),
    ),
    lacksOpened: false,
    onProgress: options.onProgress,
  }
  const read = await readEntries(run)
  if (entries.needsSecondLook()) await readAgain(run, read)
  await checkHeads(run, { heads, note, read, pins: options.pins })
  return conclude(options, run, { heads, read })
}

async function readManifest(
  files: BundleFiles,
  note: Uint8Array | undefined,
  findings: Findings,
): Promise<Manifest | { usage: string }> {
  const bytes = await files.read('bundle.json')
  if (bytes === undefined && note === undefined)
    return { usage: 'there is no ledger bundle here: bundle.json is missing' }
  const manifest = bytes === undefined ? undefined : parseManifest(bytes)
  if (manifest !== undefined && !('problem' in manifest)) return manifest
  if (manifest === undefined)
    findings.incomplete('bundle.json', 'it is missing: the bundle was not written to its end')
  else findings.tampered('bundle.json', manifest.problem)
  const [head] = signedHead(note)
  return head !== undefined && head.size > bundleEntriesMax
    ? { usage: tooManyEntries(head.size) }
    : manifestOf(head)
}

async function checkHeads(
  { manifest, findings, tree, lines, roots }: Run,
  given: { heads: HeadChecks; note: Uint8Array | undefined; read: number; pins: readonly Pin[] },
): Promise<void> {
  const { heads, note, read, pins } = given
  const beyond = read === manifest.size ? 'short' : 'unread'
  const rootAt = (size: number) =>
    size === read ? tree.root() : size < read ? (roots.get(size) ?? 'unread') : beyond
  const text = note === undefined ? undefined : (textOf(note) ?? '')
  if (text === undefined) findings.incomplete('checkpoint', 'the file is missing')
  await lines.end(manifest, () => beyond)
  const signed = text === undefined ? undefined : heads.checkpoint('checkpoint', text, rootAt)
  if (signed !== undefined) {
    const { origin, size } = signed.checkpoint
    if (origin !== manifest.log)
      findings.tampered('checkpoint', `it is of ${origin}, bundle.json says ${manifest.log}`)
    if (size < manifest.size)
      findings.incomplete('checkpoint', `${manifest.size - size} entries after it are not signed`)
  }
  for (const { name, checkpoint } of pins) heads.pin(`pinned ${name}`, checkpoint, rootAt)
}

function conclude(
  options: VerifyOptions,
  run: Run,
  { heads, read }: { heads: HeadChecks; read: number },
): BundleReport {
  const { manifest, findings, entries, opened, tree } = run
  const ended = heads.end()
  const times = entries.end()
  const values = opened.end(
    entries.erasures(),
    run.lacksOpened ? 'unread' : read === manifest.size ? 'whole' : 'partly',
  )
  const losses = admittedLosses(entries.eras())
  for (const loss of losses) findings.incomplete(loss.at, lossSentence(loss))
  const log = entries.eras().at(-1)?.log
  if (read > 0 && read === manifest.size && log !== manifest.log)
    findings.tampered('bundle.json', `the last entries are of ${log}, not of ${manifest.log}`)
  checkAge(options, {
    findings,
    anchored: ended.anchored,
    size: manifest.size,
    lastTime: times.lastTime,
  })
  const [tampered, incomplete] = [findings.count('tampered'), findings.count('incomplete')]
  return {
    verdict: tampered > 0 ? 'tampered' : incomplete > 0 ? 'incomplete' : 'true',
    findings: findings.list(),
    tampered,
    incomplete,
    log: manifest.log,
    entries: read,
    root: toHex(tree.root()),
    ...times,
    checkpoints: ended.checkpoints,
    lostCheckpoints: ended.lost,
    losses,
    pins: options.pins.length,
    records: ended.records,
    stamps: ended.stamps,
    quorum: options.trust.quorum,
    anchored: ended.anchored && {
      size: ended.anchored.size,
      at: new Date(ended.anchored.atSeconds * 1000).toISOString(),
    },
    opened: { mode: manifest.opened, ...values },
  }
}

/** Whether the newest checkpoint meets the quorum, and is not too old. Without witnesses the log's own clock counts. */
function checkAge(
  { trust, maxAgeMs, nowMs }: VerifyOptions,
  found: {
    findings: Findings
    anchored: { size: number; atSeconds: number } | undefined
    size: number
    lastTime: string | undefined
  },
): void {
  const { findings, anchored, size } = found
  if (trust.quorum !== 'none' && (anchored === undefined || anchored.size < size)) {
    const newest =
      anchored === undefined ? 'none does' : `the newest that does has ${anchored.size} entries`
    findings.incomplete('checkpoint', `it does not meet the quorum (${trust.quorum}); ${newest}`)
  }
  if (maxAgeMs === undefined) return
  const atMs =
    trust.quorum === 'none'
      ? Date.parse(found.lastTime ?? '')
      : (anchored?.atSeconds ?? Number.NaN) * 1000
  if (nowMs - atMs <= maxAgeMs) return
  const at = Number.isNaN(atMs) ? 'there is none' : `it is of ${new Date(atMs).toISOString()}`
  findings.incomplete('checkpoint', `the newest anchored checkpoint is too old: ${at}`)
}

/** What the file `checkpoint` says, signed or not; nothing when it is none. */
function signedHead(note: Uint8Array | undefined): Checkpoint[] {
  const text = note === undefined ? undefined : parseNote(note)?.text
  const head = text === undefined ? undefined : parseCheckpoint(text)
  return head === undefined ? [] : [head]
}
