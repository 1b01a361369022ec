import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pythonRandom } from './python-random.ts'

/** Printed by CPython 3: `random.Random(seed).random()`. */
const fromPython: [string, number][] = [
  ['', 0.9602256525641875],
  ['a', 0.2720295377534757],
  ['seed', 0.1382359792209653],
  ['ünïcode', 0.34422217372746233],
  ['x'.repeat(1000), 0.16324419727364425],
  ['12345', 0.45697818440486826],
  ['😀', 0.6501655957340894],
]

test("draws the number that Python's random.Random(seed).random() draws", () => {
  for (const [seed, expected] of fromPython)
    assert.equal(pythonRandom(seed), expected, seed.slice(0, 10))
})
