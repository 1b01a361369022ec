// The plug-in of fixtures/odd-plugin.ts for tests: its manifest, and what its values are.
import { createHash } from 'node:crypto'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('fixtures/odd-plugin.ts', import.meta.url))

export function oddManifest(behaviour: string, change: object = {}): object {
  return {
    ...{ blobwatch: 1, kind: 'signal-type', name: 'odd', version: '1', media: ['image'] },
    ...{ digits: 8, metric: { kind: 'hamming', bits: 32, radius: 4 } },
    // V8 reserves 512 MB that count.
    limits: { memoryMb: 1024 },
    command: [process.execPath, '--no-warnings', program, behaviour],
    ...change,
  }
}

/** A folder with manifests; `write` gives the path of one. */
export async function oddFolder(after: (clean: () => Promise<void>) => void) {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-plugin-'))
  after(() => rm(dir, { recursive: true, force: true }))
  // A child of another user reads it.
  await chmod(dir, 0o755)
  let written = 0
  return {
    dir,
    async write(behaviour: string, change: object = {}): Promise<string> {
      written += 1
      const path = join(dir, `manifest-${written}.json`)
      await writeFile(path, JSON.stringify(oddManifest(behaviour, change)))
      return path
    },
  }
}

/** The plug-in's value of these bytes, so many bits away. */
export function oddValue(bytes: string | Uint8Array, bits = 0): string {
  const value = createHash('sha256').update(bytes).digest('hex').slice(-8)
  return ((Number.parseInt(value, 16) ^ (2 ** bits - 1)) >>> 0).toString(16).padStart(8, '0')
}
