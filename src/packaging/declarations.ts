// Declarations as a consumer's compiler wants them. The compiler leaves `.ts` in their imports, and writes one for every
// module that the library touches, also for those whose types nobody can reach.
import { glob, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

const imported = /(from '|import\('|import ')(\.[^']+)\.ts'/g

/** Leaves what the roots reach (`index.d.ts`), each import naming the `.js` file beside it. */
export async function tidyDeclarations(folder: string, roots: string[]): Promise<void> {
  const kept = new Set<string>()
  const open = roots.map((root) => join(folder, root))
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (kept.has(file)) continue
    kept.add(file)
    const text = await readFile(file, 'utf8')
    for (const [, , path] of text.matchAll(imported))
      open.push(join(dirname(file), `${path!}.d.ts`))
    await writeFile(file, text.replaceAll(imported, "$1$2.js'"))
  }
  for await (const name of glob('**/*.d.ts', { cwd: folder })) {
    if (!kept.has(join(folder, name))) await rm(join(folder, name))
  }
}
