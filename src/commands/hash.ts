// hash: what a file's signals are. Needs no database and no setting.
import type { Command } from 'commander'
import { pdqQualityMin } from '../domain/blob.ts'
import { blobCidOf } from '../domain/cid.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printFacts, printJson } from './output.ts'
import { hashFile, withHasher } from './read-blob.ts'
import type { HashedFile } from './read-blob.ts'

export function addHash(program: Command, io: Io): void {
  withExamples(
    program
      .command('hash')
      .description(
        'print the signals of files: digests, PDQ with its quality, kind, why unscannable',
      )
      .argument('<FILE...>', 'files; - is stdin')
      .option('--json', 'print the result as JSON')
      .action((files: string[], options: { json?: boolean }) => run(io, files, options)),
    [
      'hash picture.jpg',
      'hash --json *.png',
      'curl -s https://example.com/a.jpg | blobwatch hash -',
    ],
  )
}

async function run(io: Io, files: string[], options: { json?: boolean }): Promise<void> {
  const hashed: HashedFile[] = []
  await withHasher(io, async (hasher) => {
    for (const file of files) {
      const one = await hashFile(io, hasher, file)
      hashed.push(one)
      if (options.json !== true) printFile(io, one, hashed.length > 1)
    }
  })
  if (options.json === true) printJson(io, { files: hashed.map(forMachines) })
}

function forMachines(one: HashedFile): object {
  return 'signals' in one ? { ...one, cid: blobCidOf(one.signals.sha256) } : one
}

function printFile(io: Io, one: HashedFile, apart: boolean): void {
  if (apart) io.out('')
  if (!('signals' in one)) {
    printFacts(io, [
      ['file', one.file],
      ['unscannable', `too-large: more than ${one.bytes} bytes`],
    ])
    return
  }
  const { signals } = one
  const low =
    (signals.pdq?.quality ?? 100) < pdqQualityMin ? `, under ${pdqQualityMin}: not compared` : ''
  printFacts(io, [
    ['file', one.file],
    ['bytes', one.bytes],
    ['kind', `${one.media} (${one.format})`],
    ['cid', blobCidOf(signals.sha256)],
    ['sha256', signals.sha256],
    ['md5', signals.md5],
    ['sha1', signals.sha1],
    ['pdq', signals.pdq && `${signals.pdq.hash} (quality ${signals.pdq.quality}${low})`],
    ['unscannable', one.unscannable],
  ])
}
