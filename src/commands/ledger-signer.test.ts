import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { RetryableError } from '../domain/errors.ts'
import { openCheckpoint } from '../ledger/note/checkpoint.ts'
import { parseVerifierKey } from '../ledger/note/key.ts'
import { headFileName } from '../ledger/signer/head-file.ts'
import { makeTestLog } from '../ledger/signer/log-in-test.ts'
import { createSignerClient } from '../ledger/signer/signer-client.ts'
import { commandLine } from './run-in-test.ts'

const blobwatch = await commandLine()
const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const name = 'log.test/main'
const log = makeTestLog(name, { size: 600 })

async function newSigner(what: string) {
  const key = join(blobwatch.dir, `${what}.key`)
  const state = join(blobwatch.dir, `${what}.state`)
  const socket = join(blobwatch.dir, `${what}.sock`)
  const { out } = await blobwatch(['ledger', 'signer', 'keygen', name, '--key', key])
  const words = ['ledger', 'signer', '--socket', socket, '--key', key, '--state', state]
  const started: ChildProcess[] = []
  /** A process of its own; resolves when it answers. */
  const start = async (crashPoint?: string): Promise<ChildProcess> => {
    const child = spawn(process.execPath, [main, ...words], {
      env: crashPoint === undefined ? {} : { BLOBWATCH_CRASH_POINT: crashPoint },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    started.push(child)
    assert.ok(child.stdout)
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
    assert.match(line, /The signer answers at/)
    return child
  }
  return {
    key,
    state,
    socket,
    words,
    verifierKey: out,
    start,
    client: createSignerClient({ path: socket }),
    end: async () => {
      for (const child of started.filter(
        (one) => one.exitCode === null && one.signalCode === null,
      )) {
        child.kill('SIGTERM')
        await once(child, 'exit')
      }
    },
  }
}

describe('ledger signer', () => {
  for (const [point, size] of [
    ['keep-head:before', 100],
    ['keep-head:after', 300],
  ] as const) {
    test(`killed at ${point}, it comes back at the socket with the head of ${size}, and never signs another story`, async () => {
      const signer = await newSigner(point.replace(':', '-'))
      try {
        const doomed = await signer.start(`${point}:2`)
        const first = await signer.client.sign(await log.request(0, 100))
        assert.equal(first.kind, 'signed')
        const died = once(doomed, 'exit')
        await assert.rejects(signer.client.sign(await log.request(100, 300)), RetryableError)
        assert.deepEqual(await died, [null, 'SIGKILL'])
        // A dead signer's socket lies there still.
        assert.ok((await stat(signer.socket)).isSocket())
        await signer.start()
        assert.equal((await signer.client.head(name))?.size, size)
        const fork = makeTestLog(name, { size: 600, forkAt: size - 1 })
        for (const old of [0, 100, 300])
          assert.equal((await signer.client.sign(await fork.request(old, 400))).kind, 'refused')
        const again = await signer.client.sign(await log.request(size, 300))
        assert.ok(again.kind === 'signed')
        const pinned = parseVerifierKey(signer.verifierKey)
        assert.ok(typeof pinned !== 'string')
        const opened = openCheckpoint(again.note, [pinned])
        assert.ok(typeof opened !== 'string' && opened.verdict.kind === 'verified')
      } finally {
        await signer.end()
      }
    })
  }

  test('a second one at the same socket does not start; on the same folder two sign one story', async () => {
    const signer = await newSigner('twice')
    try {
      await signer.start()
      const second = await blobwatch(signer.words)
      assert.equal(second.code, 2)
      assert.match(second.err, /another signer answers at/)
      const stop = new AbortController()
      const socket = `${signer.socket}-2`
      const { promise: isUp, resolve } = Promise.withResolvers<void>()
      const beside = blobwatch(
        signer.words.map((word) => (word === signer.socket ? socket : word)),
        { stop: stop.signal, onOut: () => resolve() },
      )
      await isUp
      const clients = [signer.client, createSignerClient({ path: socket })]
      const request = await log.request(0, 100)
      const answers = await Promise.all(
        Array.from({ length: 20 }, async (_, i) =>
          clients[i % 2]?.sign(i === 7 ? request : await log.request(0, 100 + i)),
        ),
      )
      assert.equal(answers.filter((answer) => answer?.kind === 'signed').length, 1)
      stop.abort()
      assert.equal((await beside).code, 0)
    } finally {
      await signer.end()
    }
  })

  test('--adopt is the operator’s word for a head, from a checkpoint of this log only', async () => {
    const signer = await newSigner('adopt')
    try {
      const child = await signer.start()
      const signed = await signer.client.sign(await log.request(0, 300))
      assert.ok(signed.kind === 'signed')
      child.kill('SIGTERM')
      await once(child, 'exit')
      await writeFile(join(signer.state, headFileName(name)), 'damaged')
      await signer.start()
      const refused = await signer.client.sign(await log.request(300, 600))
      assert.match(refused.kind === 'refused' ? refused.reason : '', /start once with --adopt/)
      const file = join(blobwatch.dir, 'checkpoint.txt')
      const adopt = [
        'ledger',
        'signer',
        '--key',
        signer.key,
        '--state',
        signer.state,
        '--adopt',
        file,
      ]
      await writeFile(file, signed.note.replace(/\n300\n/, '\n200\n'))
      assert.match((await blobwatch(adopt)).err, /is not signed with the key of/)
      assert.match((await blobwatch([...adopt.slice(0, -1), '/nowhere'])).err, /cannot be read/)
      await writeFile(file, signed.note)
      assert.match((await blobwatch(adopt)).out, /is now the one of 300 entries/)
      assert.equal((await signer.client.sign(await log.request(300, 600))).kind, 'signed')
      assert.equal((await blobwatch(adopt)).code, 2)
    } finally {
      await signer.end()
    }
  })

  test('keygen makes a key once, closed to others; without one the signer does not start', async () => {
    const key = join(blobwatch.dir, 'once.key')
    const keygen = ['ledger', 'signer', 'keygen', name, '--key', key]
    const made = await blobwatch([...keygen, '--json'])
    const { verifierKey } = made.json() as { verifierKey: string }
    assert.ok(typeof parseVerifierKey(verifierKey) !== 'string')
    assert.equal((await stat(key)).mode & 0o777, 0o600)
    assert.match(await readFile(key, 'utf8'), /^PRIVATE\+KEY\+log.test\/main\+/)
    assert.ok(!`${made.out}${made.err}`.includes('PRIVATE+KEY'))
    assert.match((await blobwatch(keygen)).err, /is there already and stays/)
    assert.equal(
      (await blobwatch([...keygen.slice(0, -3), 'two words', '--key', `${key}2`])).code,
      2,
    )
    const state = join(blobwatch.dir, 'once.state')
    const without = ['ledger', 'signer', '--socket', `${key}.sock`, '--state', state, '--key']
    assert.match((await blobwatch([...without, '/nowhere'])).err, /keygen NAME --key FILE/)
    const noSocket = await blobwatch(['ledger', 'signer', '--state', state, '--key', key])
    assert.match(noSocket.err, /--socket says where/)
  })
})

describe('ledger key', () => {
  test('prints the key to pin and a line for a policy, from a file, a setting or the socket', async () => {
    const signer = await newSigner('shown')
    try {
      await signer.start()
      const bySocket = await blobwatch(['ledger', 'key'], {
        env: { BLOBWATCH_LEDGER_SIGNER: signer.socket },
      })
      assert.equal(bySocket.out, signer.verifierKey)
      const byText = await blobwatch(['ledger', 'key', '--json'], {
        env: { BLOBWATCH_LEDGER_KEY: await readFile(signer.key, 'utf8') },
      })
      assert.deepEqual(byText.json(), {
        verifierKey: signer.verifierKey,
        policyLine: `log ${signer.verifierKey}`,
      })
      const before = await blobwatch(['ledger', 'key'])
      assert.match(before.err, /it is made at the first start/)
      await writeFile(join(blobwatch.dir, 'ledger.key'), await readFile(signer.key), {
        mode: 0o600,
      })
      const byFile = await blobwatch(['ledger', 'key', '--recovered', '2'])
      assert.match(byFile.out, /^log.test\/main\/recovered-2\+/)
      assert.equal((await blobwatch(['ledger', 'key', '--recovered', '1'])).code, 2)
      const away = await blobwatch(['ledger', 'key'], {
        env: { BLOBWATCH_LEDGER_SIGNER: '/nowhere/sign' },
      })
      assert.equal(away.code, 75)
    } finally {
      await signer.end()
    }
  })
})
