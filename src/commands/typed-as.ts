// How a command of ours is typed, for hints: through npm from the sources, by its name from the package.
import { extname } from 'node:path'

export const isPackage = extname(import.meta.filename) === '.js'

/** `words`: the verb and what follows. */
export function typedAs(words: string): string {
  return `${isPackage ? 'blobwatch' : 'npm run blobwatch --'} ${words}`
}
