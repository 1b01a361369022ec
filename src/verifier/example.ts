// `node src/verifier/example.ts FOLDER`: writes the example of docs/ledger.md, the same bytes every time.
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { formatVerifierKey } from '../ledger/note/key.ts'
import { bundleOf, makeLog } from './log-in-test.ts'

/** path -> bytes: the bundle under `bundle/`, with its key, its policy and an older checkpoint beside it. */
export async function exampleFiles(): Promise<Map<string, Uint8Array>> {
  const log = makeLog({
    ...{ seed: 2028, entries: 300, checkpointEvery: 60, erasures: 2, recoveries: 0 },
    ...{ changesKey: false, witnesses: 2, opened: 'all' },
  })
  const files = new Map<string, Uint8Array>()
  for (const [path, bytes] of await bundleOf(log)) files.set(`bundle/${path}`, bytes)
  const text = (content: string) => new TextEncoder().encode(content)
  const [key] = log.logKeys
  files.set('log.vkey', text(`${key === undefined ? '' : formatVerifierKey(key.verifier)}\n`))
  files.set('policy.txt', text(log.policy))
  files.set('older-checkpoint', text(log.checkpoints[0]?.note ?? ''))
  return files
}

if (import.meta.main) {
  const folder = process.argv[2] ?? 'src/verifier/example-bundle'
  await rm(folder, { recursive: true, force: true })
  for (const [path, bytes] of await exampleFiles()) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), bytes)
  }
}
