import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

test('runs on the Node that the project pins, whatever the host has', () => {
  assert.match(process.version, /^v24\./)
  assert.match(realpathSync(process.execPath), /node_modules\/node-linux-(x64|arm64)\//)
})

// npm signals the shell that it started, and a shell that waits for its child does not hand the signal on: hence `exec`.
test('a signal to npm ends what npm started', { timeout: 60_000 }, async (t) => {
  const words = ['run', '--silent', 'blobwatch', '--', 'shadow', '--listen', '127.0.0.1:0']
  const npm = spawn('npm', [...words, '--upstream', 'http://127.0.0.1:1'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    detached: true,
  })
  const pid = npm.pid ?? assert.fail('npm did not start')
  // Whoever is left of the group, should the signal have ended npm only.
  t.after(() => {
    try {
      process.kill(-pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  })
  let said = ''
  for await (const part of npm.stderr.setEncoding('utf8')) {
    said += part
    if (said.includes('listening on')) npm.kill('SIGTERM')
  }
  // The pipe ends when the last process that holds it has ended.
  assert.match(said, /listening on/)
})
