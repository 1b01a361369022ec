import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createWitnessAnchor } from '../ledger/anchor/witness-client.ts'
import { formatCheckpoint } from '../ledger/note/checkpoint.ts'
import { formatVerifierKey, parseVerifierKey } from '../ledger/note/key.ts'
import { formatNote } from '../ledger/note/note.ts'
import { parsePolicy } from '../ledger/note/policy.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import { headFileName } from '../ledger/signer/head-file.ts'
import { makeTestLog } from '../ledger/signer/log-in-test.ts'
import { commandLine } from './run-in-test.ts'

const blobwatch = await commandLine()
const main = fileURLToPath(new URL('../main.ts', import.meta.url))
const origin = 'log.test/main'
const logKey = makeSignerKey(origin, 'log', Buffer.alloc(32, 1))
const vkey = formatVerifierKey(logKey.verifier)
const log = makeTestLog(origin, { size: 600 })
const key = join(blobwatch.dir, 'witness.key')
const state = join(blobwatch.dir, 'witness.state')
const made = await blobwatch(['ledger', 'witness', 'keygen', 'witness.test/w1', '--key', key])
const base = ['ledger', 'witness', '--key', key, '--state', state]
const words = [...base, '--port', '0', '--log', vkey]
const { signal } = new AbortController()

async function submit(url: string, size: number, of = log) {
  const witness = parseVerifierKey(made.out)
  assert.ok(typeof witness !== 'string')
  const head = await of.at(size)
  const text = formatCheckpoint(head)
  return await createWitnessAnchor({ name: 'w1', key: witness, url }).submit(
    {
      ...head,
      note: formatNote({ text, signatures: [logKey.sign(text, 0)] }),
      prove: (old) => of.prover.consistency(old, size),
    },
    signal,
  )
}

/** A process of its own and where it answers. */
async function start(crashPoint?: string) {
  const child = spawn(process.execPath, [main, ...words, '--json'], {
    env: crashPoint === undefined ? {} : { BLOBWATCH_CRASH_POINT: crashPoint },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  after(() => child.kill('SIGKILL'))
  const lines: string[] = []
  for await (const line of createInterface(child.stdout)) {
    lines.push(line)
    if (line === '}') break
  }
  return { child, ...(JSON.parse(lines.join('')) as { url: string; policyLine: string }) }
}

describe('ledger witness', () => {
  for (const [point, kept] of [
    ['keep-head:before', 100],
    ['keep-head:after', 300],
  ] as const) {
    test(`killed at ${point}, it goes on from ${kept} and cosigns no other story`, async () => {
      await rm(state, { recursive: true, force: true })
      const doomed = await start(`${point}:2`)
      assert.equal((await submit(doomed.url, 100)).kind, 'anchored')
      const died = once(doomed.child, 'exit')
      // The connection breaks: asked for 300, nobody hears whether it is kept.
      assert.equal((await submit(doomed.url, 300)).kind, 'failed')
      assert.deepEqual(await died, [null, 'SIGKILL'])
      const next = await start()
      const fork = makeTestLog(origin, { size: 600, forkAt: kept - 1 })
      const refused = await submit(next.url, 400, fork)
      assert.equal(refused.kind === 'conflict' && refused.theirSize, kept)
      assert.equal((await submit(next.url, 400)).kind, 'anchored')
      next.child.kill('SIGTERM')
      assert.deepEqual(await once(next.child, 'exit'), [0, null])
    })
  }

  test('prints a line for the policy of the log’s operator', async () => {
    const stop = new AbortController()
    const lines: string[] = []
    const onOut = (text: string) => {
      lines.push(text)
      if (lines.length === 2) stop.abort()
    }
    const ran = await blobwatch(words, { stop: stop.signal, onOut })
    assert.equal(ran.code, 0)
    const line = ran.out.split('\n')[1] ?? ''
    const policy = parsePolicy(`${line}\nquorum witness.test-w1\n`)
    assert.ok(!('problems' in policy), JSON.stringify(policy))
    assert.match(policy.witnesses[0]?.url ?? '', /^http:\/\/127\.0\.0\.1:\d+$/)
  })

  test('refuses what it cannot work with: no log, a wrong key, no port, a taken one', async () => {
    const told = async (given: string[]) => {
      const { code, err } = await blobwatch(given)
      assert.equal(code, 2, err)
      return err
    }
    assert.match(await told([...base, '--port', '0']), /--log says whose/)
    assert.match(await told([...base, '--port', '0', '--log', vkey.slice(0, -3)]), /--log: /)
    assert.match(await told([...base, '--port', '0', '--log', made.out]), /the key of a witness/)
    assert.match(await told([...base, '--log', vkey]), /--port says where/)
    assert.match(await told([...base, '--log', vkey, '--port', '70000']), /from 0 to 65535/)
    const taken = await start()
    const port = new URL(taken.url).port
    assert.match(await told([...base, '--log', vkey, '--port', port]), /cannot be listened at/)
    taken.child.kill('SIGTERM')
  })

  test('--adopt begins again from a checkpoint of a log that it knows', async () => {
    await rm(state, { recursive: true, force: true })
    const first = await start()
    assert.equal((await submit(first.url, 300)).kind, 'anchored')
    await rm(join(state, headFileName(origin)))
    assert.equal((await submit(first.url, 400)).kind, 'failed')
    const file = join(blobwatch.dir, 'checkpoint.txt')
    const text = formatCheckpoint(await log.at(300))
    await writeFile(file, formatNote({ text, signatures: [logKey.sign(text, 0)] }))
    const adopted = await blobwatch([...base, '--log', vkey, '--adopt', file, '--json'])
    assert.deepEqual(adopted.json(), { adopted: { origin, size: 300 } })
    assert.equal((await submit(first.url, 400)).kind, 'anchored')
    first.child.kill('SIGTERM')
  })
})
