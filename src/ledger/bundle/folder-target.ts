// A bundle's folder on this machine. Made new: nothing is ever written into a folder that was there.
import { open, mkdir, appendFile, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { UsageError } from '../../domain/errors.ts'
import type { BundleTarget } from './write-bundle.ts'

const openFilesMax = 16
const [fileMode, folderMode] = [0o600, 0o700]

/** Throws UsageError when the folder is there, or cannot be made. */
export async function createFolderTarget(folder: string): Promise<BundleTarget> {
  try {
    await mkdir(folder, { mode: folderMode })
  } catch (cause) {
    throw new UsageError(
      `${folder} cannot be made, or exists already: name a folder that is not there`,
      { cause },
    )
  }
  const made = new Set<string>()
  const makeParent = async (file: string) => {
    const parent = dirname(file)
    if (made.has(parent)) return
    await mkdir(parent, { recursive: true, mode: folderMode })
    made.add(parent)
  }
  return {
    async write(path, bytes) {
      const file = join(folder, path)
      await makeParent(file)
      await writeFile(file, bytes, { flag: 'wx', mode: fileMode })
    },
    async append(path, bytes) {
      await appendFile(join(folder, path), bytes, { mode: fileMode })
    },
    async flush() {
      const files = await readdir(folder, { recursive: true })
      const waiting = ['', ...files]
      const flushNext = async () => {
        for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
          await using file = await open(join(folder, path))
          await file.sync()
        }
      }
      await Promise.all(Array.from({ length: openFilesMax }, flushNext))
    },
  }
}
