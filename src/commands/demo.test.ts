// The demo as a person runs it: a process of its own, without a terminal.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const DEMO_MS = 90_000
const CLEANUP_MS = 20_000

test(
  'npm run demo ends with exit code 0 and every step held',
  {
    timeout: DEMO_MS + CLEANUP_MS,
  },
  async () => {
    const main = fileURLToPath(new URL('../main.ts', import.meta.url))
    // At the limit it is asked to end, so that it takes its processes and folders with it and we can tell what it said.
    const child = spawn(process.execPath, [main, 'demo'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: DEMO_MS,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    const [code] = (await once(child, 'close')) as [number | null]
    const [, held, steps] = /^demo: (\d+) of (\d+) steps held$/m.exec(output) ?? []
    const isGood = code === 0 && Number(steps) > 0 && held === steps
    assert.ok(isGood, `exit code ${code}:\n${output}`)
  },
)
