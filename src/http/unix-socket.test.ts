import assert from 'node:assert/strict'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { Hono } from 'hono'
import { listen } from './listener.ts'

async function place(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-socket-'))
  t.after(() => rm(dir, { recursive: true, force: true }))
  return join(dir, 'a.sock')
}

const open = (socket: string) => listen({ socket, setting: 'A_SETTING', hono: new Hono() })

test('opens a socket for its owner and group, and takes it away at the end', async (t) => {
  const socket = await place(t)
  const listener = await open(socket)
  assert.equal((await stat(socket)).mode & 0o777, 0o660)
  await listener.close()
  await assert.rejects(stat(socket), { code: 'ENOENT' })
})

test('replaces the socket of a process that was killed', async (t) => {
  const socket = await place(t)
  const code = `require('net').createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, 'SIGKILL'))`
  await once(spawn(process.execPath, ['-e', code]), 'exit')
  assert.ok((await stat(socket)).isSocket())
  const listener = await open(socket)
  await listener.close()
})

test('leaves a socket alone that somebody answers on, and a file that is no socket', async (t) => {
  const socket = await place(t)
  const other = createServer().listen(socket)
  await once(other, 'listening')
  await assert.rejects(open(socket), /^UsageError: somebody listens on .*A_SETTING/)
  other.close()
  await once(other, 'close')
  await writeFile(socket, 'a file')
  await assert.rejects(open(socket), /^UsageError: .* is there and no socket/)
})
