import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { compileKernel, kernels } from './build.ts'

for (const kernel of kernels) {
  test(`${kernel.wasm} is what ${kernel.source} compiles to`, async () => {
    const committed = await readFile(new URL(`../${kernel.wasm}`, import.meta.url))
    const compiled = Buffer.from(await compileKernel(kernel))
    assert.ok(committed.equals(compiled), 'npm run kernels writes it anew')
  })
}
