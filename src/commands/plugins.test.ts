import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { configuredManifests } from './plugins.ts'

const example = fileURLToPath(
  new URL('../../examples/plugins/average-hash/manifest.json', import.meta.url),
)

test('commands know the plug-ins of the setting, also where a file holds it', () => {
  const namesIn = (env: Record<string, string>) => {
    const readFile = (path: string) =>
      path === '/run/plugins' ? `${example}\n` : readFileSync(path, 'utf8')
    return configuredManifests({ env, readFile }).map(({ name }) => name)
  }
  assert.deepEqual(namesIn({}), [])
  assert.deepEqual(namesIn({ BLOBWATCH_PLUGINS: example }), ['average_hash'])
  assert.deepEqual(namesIn({ BLOBWATCH_PLUGINS_FILE: '/run/plugins' }), ['average_hash'])
})
