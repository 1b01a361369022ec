// Draws the harmless pictures of banks/benign-pictures.ts, hashes them, and writes banks/benign-hashes.ts.
//
//   node src/commands/bank-benign-write.ts
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { benignPictures, drawGrey } from '../banks/benign-pictures.ts'
import { refusalOf } from '../banks/new-signal.ts'
import { pdqQualityMin } from '../domain/blob.ts'
import type { Hex } from '../domain/blob.ts'
import { pdqHash } from '../signals/pdq/hash.ts'

/** Those of enough quality that no other rule refuses, each hash once. */
export function makeBenignHashes(): { name: string; pdq: Hex }[] {
  const made = new Map<Hex, string>()
  for (const picture of benignPictures()) {
    const { hash, quality } = pdqHash(drawGrey(picture), picture.width, picture.height, 1)
    if (quality < pdqQualityMin || made.has(hash)) continue
    if (refusalOf({ type: 'pdq', value: hash, quality }) === undefined) made.set(hash, picture.name)
  }
  return [...made].map(([pdq, name]) => ({ name, pdq }))
}

function fileText(): string {
  const rows = makeBenignHashes().map(({ name, pdq }) => `  '${name}': '${pdq}',`)
  return [
    '// Made by src/commands/bank-benign-write.ts from the formulas of benign-pictures.ts: run it when they change.',
    "import type { Hex } from '../domain/blob.ts'",
    '',
    'const pdqByName: Readonly<Record<string, Hex>> = {',
    ...rows,
    '}',
    '',
    'export const benignHashes = Object.entries(pdqByName).map(([name, pdq]) => ({ name, pdq }))',
    '',
  ].join('\n')
}

if (import.meta.main) {
  const file = fileURLToPath(new URL('../banks/benign-hashes.ts', import.meta.url))
  writeFileSync(file, fileText())
}
