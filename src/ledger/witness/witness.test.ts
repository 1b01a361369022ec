import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { sameBytes, toBase64 } from '../bytes.ts'
import { formatCheckpoint, openCheckpoint } from '../note/checkpoint.ts'
import { formatNote, formatSignature, parseNote, parseSignature, verifyNote } from '../note/note.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import type { SignerKey } from '../note/signer-key.ts'
import { headFileName } from '../signer/head-file.ts'
import { createHeadKeeper } from '../signer/head-keeper.ts'
import { makeTestLog } from '../signer/log-in-test.ts'
import type { TestLog } from '../signer/log-in-test.ts'
import { formatAddCheckpoint } from './add-checkpoint.ts'
import { serveWitness } from './witness-server.ts'
import { createWitness, originHashOf } from './witness.ts'

const logKey = makeSignerKey('log.test/main', 'log', Buffer.alloc(32, 1))
const otherKey = makeSignerKey('other.test/main', 'log', Buffer.alloc(32, 2))
const witnessKey = makeSignerKey('witness.test/w1', 'witness', Buffer.alloc(32, 3))
const log = makeTestLog('log.test/main', { size: 600 })
const other = makeTestLog('other.test/main', { size: 600 })
const nowMs = 1_800_000_000_000
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-witness-'))
after(() => rm(dir, { recursive: true, force: true }))

let made = 0
async function start(options: { folder?: string; limits?: { requestMs: number } } = {}) {
  const folder = options.folder ?? join(dir, `heads-${(made += 1)}`)
  const witness = createWitness({
    key: witnessKey,
    logs: [logKey.verifier, otherKey.verifier],
    keeper: await createHeadKeeper({ folder }),
    nowMs: () => nowMs,
  })
  const { limits } = options
  const server = await serveWitness({
    ...{ witness, host: '127.0.0.1', port: 0 },
    ...(limits && { limits }),
  })
  after(() => server.close())
  const post = async (body: string | Uint8Array<ArrayBuffer>) => {
    const response = await fetch(`${server.url}/add-checkpoint`, { method: 'POST', body })
    const type = response.headers.get('content-type')
    return { status: response.status, type, text: await response.text() }
  }
  return { ...server, folder, post }
}

async function body(
  old: number,
  size: number,
  of: TestLog = log,
  key: SignerKey = logKey,
): Promise<string> {
  const request = await of.request(old, size)
  const text = formatCheckpoint(request)
  const note = formatNote({ text, signatures: [key.sign(text, 0)] })
  return formatAddCheckpoint({ old, proof: request.proof, note })
}

const noteOf = (text: string) => text.slice(text.indexOf('\n\n') + 2)

describe('add-checkpoint', () => {
  test('200 has the cosignature lines that make the note a cosigned one, with the time', async () => {
    const { post } = await start()
    for (const [old, size] of [
      [0, 1],
      [1, 1],
      [1, 300],
      [300, 600],
    ] as const) {
      const sent = await body(old, size)
      const answer = await post(sent)
      assert.deepEqual([answer.status, answer.type], [200, 'text/plain; charset=utf-8'])
      assert.match(answer.text, /^(\u2014 \S+ \S+\n)+$/u)
      const note = parseNote(`${noteOf(sent)}${answer.text}`)
      assert.ok(note)
      assert.deepEqual(verifyNote(note, [witnessKey.verifier]), {
        kind: 'verified',
        by: [{ key: witnessKey.verifier, atSeconds: nowMs / 1000 }],
      })
    }
  })

  test('409 names the size that was cosigned, as text/x.tlog.size', async () => {
    const { post } = await start()
    const conflict = (size: number) => ({
      status: 409,
      type: 'text/x.tlog.size',
      text: `${size}\n`,
    })
    assert.deepEqual(await post(await body(5, 10)), conflict(0))
    assert.equal((await post(await body(0, 300))).status, 200)
    assert.deepEqual(await post(await body(0, 600)), conflict(300))
    assert.deepEqual(await post(await body(299, 600)), conflict(300))
    assert.deepEqual(await post(await body(0, 100)), conflict(300))
    assert.deepEqual(await post(await body(100, 100)), conflict(300))
    // The same size with another root.
    const fork = makeTestLog(log.origin, { size: 600, forkAt: 200 })
    assert.deepEqual(await post(await body(300, 300, fork)), conflict(300))
    assert.equal((await post(await body(300, 300))).status, 200)
  })

  test('422 for a proof that does not lead from what was cosigned, and nothing moves', async () => {
    const { post } = await start()
    assert.equal((await post(await body(0, 300))).status, 200)
    const fork = makeTestLog(log.origin, { size: 600, forkAt: 200 })
    const sound = await body(300, 600)
    const [first, ...rest] = sound.split('\n')
    const hash = toBase64(Buffer.alloc(32, 9))
    const cases = [
      await body(300, 600, fork),
      [first, ...rest.slice(1)].join('\n'),
      [first, hash, ...rest].join('\n'),
      [first, hash, ...rest.slice(1)].join('\n'),
      (await body(300, 300)).replace('old 300\n', `old 300\n${hash}\n`),
    ]
    for (const sent of cases) assert.equal((await post(sent)).status, 422)
    assert.equal((await post(sound)).status, 200)
    const { post: fresh } = await start()
    assert.equal(
      (await fresh((await body(0, 300)).replace('old 0\n', `old 0\n${hash}\n`))).status,
      422,
    )
  })

  test('404 for a log it does not know, 403 for a checkpoint that its log did not sign', async () => {
    const { post } = await start()
    const stranger = makeSignerKey('stranger.test', 'log')
    const strange = makeTestLog('stranger.test', { size: 10 })
    assert.equal((await post(await body(0, 10, strange, stranger))).status, 404)
    assert.equal((await post(await body(0, 10, log, otherKey))).status, 403)
    const impostor = makeSignerKey(log.origin, 'log')
    assert.equal((await post(await body(0, 10, log, impostor))).status, 403)
    // A signature by the right key id that is wrong.
    const wrong = formatSignature({ ...logKey.sign('else\n', 0) })
    const sent = await body(0, 10)
    assert.equal((await post(sent.replace(/\u2014 .*\n$/u, wrong))).status, 403)
    // A size that is not proven to be below comes after the signature.
    assert.equal(
      (await post((await body(0, 10, log, impostor)).replace('old 0', 'old 11'))).status,
      403,
    )
    assert.equal((await post(sent.replace('old 0', 'old 11'))).status, 400)
  })

  test('signatures of unknown keys are ignored, before and after the one of the log', async () => {
    const { post, url } = await start()
    const sent = await body(0, 10)
    const text = parseNote(noteOf(sent))?.text ?? ''
    const strange = Array.from({ length: 15 }, (_, i) =>
      formatSignature(makeSignerKey(`stranger.test/${i}`, 'log').sign(text, 0)),
    ).join('')
    const at = sent.indexOf('\u2014')
    const answer = await post(`${sent.slice(0, at)}${strange}${sent.slice(at)}${strange}`)
    assert.equal(answer.status, 200)
    const kept = await (await fetch(`${url}/checkpoint/${originHashOf(log.origin)}`)).text()
    assert.equal(parseNote(kept)?.signatures.length, 2)
  })

  test('400 for anything that is not exactly a request', async () => {
    const { post } = await start()
    const sound = await body(0, 300)
    const hash = toBase64(Buffer.alloc(32, 9))
    const cases: (string | Uint8Array<ArrayBuffer>)[] = [
      '',
      '\n',
      'old 0\n',
      sound.slice(0, -1),
      sound.replace('old 0\n', ''),
      sound.replace('old 0', 'old'),
      sound.replace('old 0', 'old 00'),
      sound.replace('old 0', 'old -1'),
      sound.replace('old 0', 'old  0'),
      sound.replace('old 0', 'Old 0'),
      sound.replace('old 0', 'old 0 '),
      sound.replace('old 0\n', 'old 0\r\n'),
      sound.replace('old 0', `old ${2 ** 53}`),
      sound.replace('old 0\n\n', 'old 0\n'),
      sound.replace('old 0\n', 'old 0\nAAAA\n'),
      sound.replace('old 0\n', `old 0\n${hash} \n`),
      sound.replace('old 0\n', `old 0\n${`${hash}\n`.repeat(64)}`),
      sound.replace('\n300\n', '\n0300\n'),
      sound.replace(/\u2014.*\n$/u, ''),
      `${sound}more\n`,
      `${sound}${sound.slice(sound.indexOf('\u2014')).repeat(64)}`,
      Uint8Array.from([0xff, 0xfe, 0x0a, 0x0a]),
      Uint8Array.from(Buffer.concat([Buffer.from(sound), Buffer.alloc(100)])),
    ]
    for (const sent of cases)
      assert.equal((await post(sent)).status, 400, JSON.stringify(String(sent).slice(0, 60)))
    // 63 lines are a request; what they prove is another matter.
    const most = sound.replace('old 0\n', `old 0\n${`${hash}\n`.repeat(63)}`)
    assert.equal((await post(most)).status, 422)
    assert.equal((await post(sound)).status, 200)
  })

  test('100 at once make one order of growth: no size goes back, and none of another story is cosigned', async () => {
    const folder = join(dir, 'many')
    const witness = createWitness({
      key: witnessKey,
      logs: [logKey.verifier],
      keeper: await createHeadKeeper({ folder }),
      nowMs: () => nowMs,
    })
    /** In the order in which the witness was done with them: answers may overtake each other on the way. */
    const cosigned: string[] = []
    const addCheckpoint = async (sent: Uint8Array) => {
      const answer = await witness.addCheckpoint(sent)
      if (answer.status === 200) cosigned.push(noteOf(Buffer.from(sent).toString()))
      return answer
    }
    await using server = await serveWitness({
      ...{ witness: { ...witness, addCheckpoint }, host: '127.0.0.1', port: 0 },
    })
    const fork = makeTestLog(log.origin, { size: 600, forkAt: 50 })
    /** As a log would: goes on from the size that the witness names, while that is below its own. */
    const push = async (size: number, of: TestLog) => {
      for (let old = 0, tries = 0; old <= size && tries < 4; tries += 1) {
        const sent = await body(old, size, of)
        const url = `${server.url}/add-checkpoint`
        const response = await fetch(url, { method: 'POST', body: sent })
        const text = await response.text()
        if (response.status !== 409) return response.status
        old = Number(text)
      }
      return 409
    }
    const statuses = await Promise.all(
      Array.from({ length: 100 }, (_, i) => push(60 + 5 * i, i % 10 === 0 ? fork : log)),
    )
    assert.ok(statuses.every((status) => [200, 409, 422].includes(status)))
    assert.ok(cosigned.length > 0)
    const heads = cosigned.map((note) => openCheckpoint(note, [logKey.verifier]))
    const sizes: number[] = []
    const stories = new Set<TestLog>()
    for (const head of heads) {
      assert.ok(typeof head !== 'string')
      const { size, root } = head.checkpoint
      sizes.push(size)
      for (const one of [log, fork])
        if (sameBytes(await one.prover.rootAt(size), root)) stories.add(one)
    }
    assert.deepEqual(
      sizes,
      [...new Set(sizes)].toSorted((a, b) => a - b),
    )
    assert.equal(stories.size, 1)
    assert.match(
      (await witness.newest(originHashOf(log.origin))) ?? '',
      new RegExp(`\n${sizes.at(-1)}\n`),
    )
  })

  test('two witnesses on one folder cosign one story', async () => {
    const first = await start()
    const second = await start({ folder: first.folder })
    const fork = makeTestLog(log.origin, { size: 600, forkAt: 5 })
    const answers = await Promise.all([
      ...Array.from({ length: 5 }, async (_, i) => first.post(await body(0, 10 + i))),
      ...Array.from({ length: 5 }, async (_, i) => second.post(await body(0, 10 + i, fork))),
    ])
    assert.equal(answers.filter(({ status }) => status === 200).length, 1)
  })

  test('several logs have each their own head', async () => {
    const { post, url } = await start()
    assert.equal((await post(await body(0, 300))).status, 200)
    assert.equal((await post(await body(0, 100, other, otherKey))).status, 200)
    assert.equal((await post(await body(100, 200, other, otherKey))).status, 200)
    assert.equal((await post(await body(300, 301))).status, 200)
    const unknown = await fetch(`${url}/checkpoint/${originHashOf('nobody.test')}`)
    assert.equal(unknown.status, 404)
  })
})

describe('the witness server', () => {
  test('a lost or damaged head stops that log with 503 and no cosignature, and no other', async () => {
    const { post, folder } = await start()
    assert.equal((await post(await body(0, 300))).status, 200)
    const file = join(folder, headFileName(log.origin))
    const whole = await readFile(file)
    for (const damage of [() => writeFile(file, whole.subarray(0, 50)), () => rm(file)]) {
      await damage()
      for (const [old, size] of [
        [0, 300],
        [300, 600],
      ] as const)
        assert.equal((await post(await body(old, size))).status, 503)
      assert.equal((await post(await body(0, 0, other, otherKey))).status, 200)
    }
    await writeFile(file, whole)
    assert.equal((await post(await body(300, 600))).status, 200)
  })

  test('a disk that takes nothing gives no cosignature', async () => {
    const witness = createWitness({
      key: witnessKey,
      logs: [logKey.verifier],
      keeper: await createHeadKeeper({
        folder: join(dir, 'full'),
        disk: { replace: () => Promise.reject(new Error('ENOSPC')) },
      }),
      nowMs: () => nowMs,
    })
    const told: unknown[] = []
    await using server = await serveWitness({
      ...{ witness, host: '127.0.0.1', port: 0 },
      onError: (error) => told.push(error),
    })
    const response = await fetch(`${server.url}/add-checkpoint`, {
      method: 'POST',
      body: await body(0, 10),
    })
    assert.equal(response.status, 503)
    assert.ok(!(await response.text()).includes('\u2014'))
    assert.equal(told.length, 1)
  })

  test('other paths and methods, too much, and too slow are turned away', async () => {
    const { url, post } = await start({ limits: { requestMs: 150 } })
    assert.equal((await fetch(url)).status, 404)
    assert.equal((await fetch(`${url}/add-checkpoint`)).status, 405)
    assert.equal((await fetch(`${url}/checkpoint/xyz`)).status, 404)
    assert.equal((await post('x'.repeat(300_000))).status, 413)
    const slow = connect(Number(new URL(url).port), '127.0.0.1')
    await once(slow, 'connect')
    slow.write('POST /add-checkpoint HTTP/1.1\r\nhost: a\r\ncontent-length: 900\r\n\r\nold 0')
    let heard = ''
    for await (const chunk of slow.setEncoding('utf8') as AsyncIterable<string>) heard += chunk
    assert.match(heard, /^HTTP\/1.1 408 /)
    assert.ok(parseSignature((await post(await body(0, 10))).text))
  })
})
