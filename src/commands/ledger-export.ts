// ledger export: a folder that anybody can verify without us. Personal values are in it only when they are asked for.
import type { Command } from 'commander'
import type { Database } from '../db/client.ts'
import { UsageError } from '../domain/errors.ts'
import { sameBytes } from '../ledger/bytes.ts'
import { createFolderTarget } from '../ledger/bundle/folder-target.ts'
import type { KeptValue } from '../ledger/bundle/format.ts'
import { writeBundle } from '../ledger/bundle/write-bundle.ts'
import { parseCheckpoint } from '../ledger/note/checkpoint.ts'
import { parseNote } from '../ledger/note/note.ts'
import { readAnchors, readCheckpoints } from '../ledger/read-heads.ts'
import { readEntries, readHead, readPrivate } from '../ledger/read-ledger.ts'
import type { DataKey } from '../ledger/seal.ts'
import { newestCheckpoint } from '../steps/checkpoints.ts'
import { version } from '../version.ts'
import { findDataKey } from './data-key.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { count, printJson } from './output.ts'
import { withSession } from './session.ts'

type ExportOptions = { reveal?: boolean; anchored?: boolean; json?: boolean }

const progressEvery = 50_000

export function addLedgerExport(command: Command, io: Io): void {
  withExamples(
    command
      .command('export')
      .description(
        'write a folder that anybody can verify with verifier/verify.mjs: all entries up to the newest signed checkpoint',
      )
      .argument('<FOLDER>', 'where to; nothing may be there')
      .option('--anchored', 'up to the newest checkpoint that enough witnesses hold')
      .option(
        '--reveal',
        'with the personal values behind the commitments: for a court, not for the public',
      )
      .option('--json', 'print the result as JSON')
      .action((folder: string, options: ExportOptions) => run(io, folder, options)),
    ['ledger export ./ledger-2026-11', 'ledger verify --file ./ledger-2026-11 --policy policy.txt'],
  )
}

async function run(io: Io, folder: string, options: ExportOptions): Promise<void> {
  await withSession(io, async ({ config, db, nowMs }) => {
    const head = await readHead(db)
    const anchored = options.anchored === true
    const checkpoint = head && (await newestCheckpoint(db, { origin: head.log, anchored }))
    if (head === undefined || checkpoint === undefined)
      throw new UsageError(
        anchored
          ? 'no checkpoint is held by enough witnesses yet: see ledger log, or export without --anchored'
          : 'there is no signed checkpoint yet: the service signs one within a minute of its first entry',
      )
    const dataKey = options.reveal === true ? await findDataKey(config, db) : undefined
    if (options.reveal === true && dataKey === undefined)
      throw new UsageError(
        '--reveal needs the data key: set BLOBWATCH_DATA_KEY, or run it where data.key is',
      )
    const { origin, size, note } = checkpoint
    const range = { from: 0, to: size }
    let told = 0
    const written = await writeBundle(
      await createFolderTarget(folder),
      {
        ...{ log: origin, size, note, product: `blobwatch ${version}` },
        madeAt: new Date(nowMs()).toISOString(),
        opened: dataKey === undefined ? 'none' : 'all',
        entries: bytesOf(db, range),
        checkpoints: readCheckpoints(db, { origin, size }),
        anchors: readAnchors(db, { origin, size }),
        values: dataKey === undefined ? undefined : valuesOf(db, range, dataKey),
      },
      (entries) => {
        if (entries - told < progressEvery && entries < size) return
        told = entries
        io.err(`${entries} of ${size} entries`)
      },
    )
    const text = parseNote(note)?.text
    const signed = text === undefined ? undefined : parseCheckpoint(text)
    const holds =
      written.entries === size && signed !== undefined && sameBytes(signed.root, written.root)
    if (!holds) io.setExitCode(exitCodes.notOk)
    const after = head.size - size
    if (options.json === true) {
      const { entries, checkpoints, anchors, openedValues } = written
      printJson(io, {
        folder,
        holds,
        log: origin,
        entries,
        after,
        checkpoints,
        anchors,
        openedValues,
      })
      return
    }
    io.out(
      `${count(written.entries, 'entry', 'entries')} written to ${folder}, up to the checkpoint of ${checkpoint.at.toISOString()}.`,
    )
    if (after > 0)
      io.out(`${count(after, 'entry', 'entries')} came after it and are not in the copy.`)
    io.out(
      holds
        ? `Verify it: node verifier/verify.mjs ${folder} --key "…" (ledger key shows the key)`
        : 'The entries are NOT what was signed. The copy shows it: run ledger verify.',
    )
  })
}

type Range = { from: number; to: number }

async function* bytesOf(db: Database, range: Range): AsyncGenerator<Uint8Array[]> {
  for await (const page of readEntries(db, range)) yield page.map(({ bytes }) => bytes)
}

async function* valuesOf(
  db: Database,
  range: Range,
  dataKey: DataKey,
): AsyncGenerator<KeptValue[]> {
  for await (const page of readEntries(db, range)) {
    const open = await readPrivate(db, page, dataKey)
    yield page.flatMap(({ seq, bytes }) => {
      const { com } = JSON.parse(bytes.toString('utf8')) as { com: Record<string, string> }
      return Object.keys(com).flatMap((field) => {
        const value = open?.(seq, field)
        return value === undefined ? [] : [{ seq, field, ...value }]
      })
    })
  }
}
