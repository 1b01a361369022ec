// Makes `dist/`, the plain JavaScript that a published package carries: Node runs TypeScript by itself, but not inside
// node_modules. `npm pack` calls it (prepack).
//
//   dist/**.js       what the roots below import, as in src/; every relative address keeps its meaning, because dist/
//                    stands where src/ stands: ../migrations, ../lexicons, ../package.json
//   dist/**.wasm     the kernels
//   dist/**.d.ts     of the library and the client only
//
// A build that was cut short leaves no dist/ at all: it is put in place as the last step.
import { spawnSync } from 'node:child_process'
import { chmod, copyFile, glob, mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { tidyDeclarations } from './declarations.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = join(root, '.build')
const dist = join(root, 'dist')

export async function buildPackage(): Promise<void> {
  await rm(scratch, { recursive: true, force: true })
  await rm(dist, { recursive: true, force: true })
  compile('src/packaging/tsconfig.json')
  compile('src/packaging/tsconfig.types.json')
  for await (const name of glob('**/*.wasm', { cwd: join(root, 'src') })) {
    const to = join(scratch, 'src', name)
    await mkdir(dirname(to), { recursive: true })
    await copyFile(join(root, 'src', name), to)
  }
  await tidyDeclarations(join(scratch, 'src'), ['index.d.ts', 'client/index.d.ts'])
  await chmod(join(scratch, 'src/bin.js'), 0o755)
  await rename(join(scratch, 'src'), dist)
  await rm(scratch, { recursive: true, force: true })
}

function compile(project: string): void {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const { status, error } = spawnSync(process.execPath, [compiler, '-p', join(root, project)], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error(`${project} does not compile`, { cause: error })
}

if (import.meta.main) await buildPackage()
