// What every signal type of others has to do, in whatever language it is.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SignalPlugin } from './signal-plugin.ts'

/** `samples`: bytes that have a value each, no two the same. */
export function signalPluginContract(
  name: string,
  open: () => Promise<SignalPlugin>,
  samples: Uint8Array[],
): void {
  test(`${name}: gives each file its value, the same each time, in one process`, async () => {
    await using plugin = await open()
    const { digits } = plugin.manifest
    const values = new Set<string>()
    for (const bytes of [...samples, ...samples]) {
      const hashed = await plugin.hash(bytes)
      assert.ok(hashed.kind === 'value', hashed.kind)
      assert.match(hashed.value, new RegExp(`^[0-9a-f]{${digits}}$`))
      if (hashed.quality !== undefined) assert.ok(hashed.quality >= 0 && hashed.quality <= 100)
      values.add(hashed.value)
    }
    assert.equal(values.size, samples.length)
    assert.equal(plugin.host.starts(), 1)
  })

  test(`${name}: a value is at distance 0 from itself, and as far there as back`, async () => {
    await using plugin = await open()
    const values: string[] = []
    for (const bytes of samples) {
      const hashed = await plugin.hash(bytes)
      if (hashed.kind === 'value') values.push(hashed.value)
    }
    for (const a of values) {
      assert.deepEqual(await plugin.compare(a, a), { kind: 'distance', distance: 0 })
      for (const b of values)
        assert.deepEqual(await plugin.compare(a, b), await plugin.compare(b, a))
    }
  })

  test(`${name}: answers asks that come together, each with its own`, async () => {
    await using plugin = await open()
    const alone = []
    for (const bytes of samples) alone.push(await plugin.hash(bytes))
    assert.deepEqual(await Promise.all(samples.map((bytes) => plugin.hash(bytes))), alone)
  })

  test(`${name}: takes no bytes, and bytes that are nothing, without an end`, async () => {
    await using plugin = await open()
    for (const bytes of [new Uint8Array(), new Uint8Array(100_000).fill(10)])
      assert.notEqual((await plugin.hash(bytes)).kind, 'failed')
    assert.equal(plugin.host.starts(), 1)
  })
}
