import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { buildVerifier } from './build.ts'
import { exampleFiles } from './example.ts'

const built = await buildVerifier()

for (const [path, text] of built) {
  test(`${path} is what its sources make`, async () => {
    const committed = await readFile(new URL(`../../${path}`, import.meta.url), 'utf8')
    assert.ok(committed === text, 'npm run verifier writes it anew')
  })
}

test('verify.mjs needs nothing but Node', () => {
  const text = built.get('verifier/verify.mjs') ?? ''
  const imports = [...text.matchAll(/from "([^"]+)"|import\("([^"]+)"\)|require\(/g)]
  assert.ok(imports.length > 0)
  for (const [, name] of imports) assert.match(name ?? '', /^node:(crypto|fs|path|util)$/)
})

test('verify.html asks for nothing: no address, no module of Node, and a policy that allows its own script only', () => {
  const text = built.get('verifier/verify.html') ?? ''
  assert.match(text, /default-src 'none'; script-src 'sha256-[^' ]+'; style-src 'sha256-[^' ]+';/)
  assert.ok(!/<(script|link|img|iframe)[^>]*(src|href)=/.test(text))
  assert.ok(!/\b(fetch|XMLHttpRequest|WebSocket|sendBeacon)\b\s*\(/.test(text))
  assert.ok(!text.includes('node:'))
})

test('the example bundle is what its source makes', async () => {
  for (const [path, bytes] of await exampleFiles()) {
    const committed = await readFile(new URL(`example-bundle/${path}`, import.meta.url))
    assert.ok(committed.equals(bytes), `${path}: node src/verifier/example.ts writes it anew`)
  }
})
