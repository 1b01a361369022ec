// `npm run kernels`: compiles the AssemblyScript kernels and writes the .wasm files that are committed beside what uses
// them. kernels/kernels.test.ts holds the committed files to their sources, byte for byte.
import { writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

export type Kernel = { source: string; wasm: string; flags: string[] }

const common = ['--runtime', 'stub', '--noAssert', '-O3', '--converge', '--enable', 'simd']

export const kernels: readonly Kernel[] = [
  {
    source: 'kernels/pdq.ts',
    wasm: 'src/signals/pdq/kernel.wasm',
    flags: [...common, '--importMemory'],
  },
  {
    // One memory for all threads: 4 GB is the most that 32-bit addresses reach.
    source: 'kernels/hamming.ts',
    wasm: 'src/matching/kernel.wasm',
    flags: [
      ...common,
      '--importMemory',
      '--sharedMemory',
      '--maximumMemory',
      '65536',
      '--enable',
      'threads',
      '--enable',
      'bulk-memory',
    ],
  },
]

const root = fileURLToPath(new URL('..', import.meta.url))

/** The module's bytes. Throws with the compiler's own words. */
export async function compileKernel({ source, flags }: Kernel): Promise<Uint8Array> {
  let binary: Uint8Array | undefined
  const stderr = asc.createMemoryStream()
  const { error } = await asc.main(
    [source, '--baseDir', root, '--outFile', 'kernel.wasm', ...flags],
    {
      stderr,
      writeFile: (name, contents) => {
        if (name === 'kernel.wasm' && typeof contents !== 'string') binary = contents
      },
    },
  )
  if (error !== null || binary === undefined) throw new Error(`${source}: ${stderr.toString()}`)
  return binary
}

if (import.meta.main) {
  for (const kernel of kernels) {
    const bytes = await compileKernel(kernel)
    await writeFile(new URL(`../${kernel.wasm}`, import.meta.url), bytes)
    console.log(`${kernel.source} -> ${kernel.wasm}, ${bytes.length} bytes`)
  }
}
