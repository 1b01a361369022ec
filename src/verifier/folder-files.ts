// A bundle in a folder of this machine.
import { createReadStream, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileBytesMax } from './bundle-files.ts'
import type { BundleFiles } from './bundle-files.ts'

export function folderFiles(folder: string): BundleFiles {
  return {
    read(path) {
      const file = join(folder, path)
      try {
        // Sync: files are small, many, and read one after the other.
        if (statSync(file).size > fileBytesMax)
          return Promise.resolve(new Uint8Array(fileBytesMax + 1))
        return Promise.resolve(new Uint8Array(readFileSync(file)))
      } catch (error) {
        if (isMissing(error)) return Promise.resolve(undefined)
        return Promise.reject(error)
      }
    },
    parts(path) {
      const file = join(folder, path)
      return Promise.resolve(existsSync(file) ? createReadStream(file) : undefined)
    },
  }
}

function isMissing(error: unknown): boolean {
  const code = (error as { code?: string }).code
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR'
}
