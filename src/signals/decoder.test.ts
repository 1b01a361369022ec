import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { RetryableError } from '../domain/errors.ts'
import { Decoder, type DecoderOptions } from './decoder.ts'
import * as hostile from './fixtures/hostile.ts'
import { pdqDistance } from './pdq/distance.ts'
import { pdqHash } from './pdq/hash.ts'
import { rgbOf } from './pdq/vectors/pixels.ts'

const never = new AbortController().signal

function startDecoder(options: Partial<DecoderOptions> = {}): Promise<Decoder> {
  // What a machine lacks is the sandbox test's business.
  return Decoder.start({ slots: 1, warn: () => {}, ...options })
}

/** Claims 49 megapixels: takes a good part of a second to decode, on any machine. */
async function slowImage(): Promise<Buffer> {
  return hostile.claimingSize(await hostile.progressiveJpeg(), 7000, 7000)
}

test('hashes the pixels of every format it decodes', async () => {
  await using decoder = await startDecoder()
  const expected = pdqHash(rgbOf('octaves', 160, 120), 160, 120, 3)
  for (const encoding of ['png', 'jpeg', 'webp', 'gif'] as const) {
    const outcome = await decoder.decode(await hostile.picture(encoding), never)
    assert.ok(outcome.kind === 'decoded', encoding)
    assert.deepEqual([outcome.width, outcome.height], [160, 120])
    assert.deepEqual([outcome.animated, outcome.malformed], [false, false], encoding)
    const distance = pdqDistance(outcome.pdq.hash, expected.hash)
    assert.ok(distance <= (encoding === 'png' ? 0 : 16), `${encoding}: ${distance}`)
  }
})

test('cuts 16-bit grey off at 255', async () => {
  await using decoder = await startDecoder()
  const values = Uint16Array.from({ length: 96 * 96 }, (_, i) => (i * 7919) % 400)
  const outcome = await decoder.decode(await hostile.grey16Png(values, 96, 96), never)
  assert.ok(outcome.kind === 'decoded')
  const clipped = Uint8Array.from(values, (value) => Math.min(value, 255))
  assert.deepEqual(outcome.pdq, pdqHash(clipped, 96, 96, 1))
})

test('hashes a picture stored as 16-bit grey by its upper bytes when cutting it off leaves nothing', async () => {
  await using decoder = await startDecoder()
  const grey = rgbOf('octaves', 160, 120).filter((_, i) => i % 3 === 0)
  const values = Uint16Array.from(grey, (value) => value * 257)
  const outcome = await decoder.decode(await hostile.grey16Png(values, 160, 120), never)
  assert.ok(outcome.kind === 'decoded')
  assert.deepEqual(outcome.pdq, pdqHash(Uint8Array.from(grey), 160, 120, 1))
})

test('hashes what a cut-off picture still shows and says that it is malformed', async () => {
  await using decoder = await startDecoder()
  for (const encoding of ['png', 'jpeg'] as const) {
    const bytes = await hostile.picture(encoding)
    const cut = bytes.subarray(0, Math.floor(bytes.length * 0.7))
    const outcome = await decoder.decode(cut, never)
    assert.ok(outcome.kind === 'decoded' && outcome.malformed, encoding)
  }
})

test('ends each way of failing in its own reason', async () => {
  await using decoder = await startDecoder()
  const jpeg = await hostile.progressiveJpeg()
  const gif = await hostile.picture('gif')
  const cases: [string, Uint8Array, string][] = [
    ['nothing but a PNG header', (await hostile.picture('png')).subarray(0, 20), 'corrupt'],
    ['noise after a JPEG marker', Buffer.concat([jpeg.subarray(0, 4), gif]), 'corrupt'],
    ['a drawing', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), 'unsupported-format'],
    ['an interlaced PNG of 16000^2', hostile.interlacedPng(16_000), 'too-many-pixels'],
    ['a JPEG of 16000^2', hostile.claimingSize(jpeg, 16_000, 16_000), 'too-many-pixels'],
    ['a JPEG of 60000 x 5', hostile.claimingSize(jpeg, 60_000, 5), 'too-many-pixels'],
  ]
  for (const [name, bytes, reason] of cases)
    assert.deepEqual(await decoder.decode(bytes, never), { kind: 'failed', reason }, name)
})

test('decodes the largest interlaced picture it allows', async () => {
  await using decoder = await startDecoder({ wallMs: 20_000 })
  const outcome = await decoder.decode(hostile.interlacedPng(7_000), never)
  assert.ok(outcome.kind === 'decoded')
  assert.equal(outcome.pdq.quality, 0)
})

test('says that moving pictures move and hashes their first frame', async () => {
  await using decoder = await startDecoder()
  for (const bytes of [hostile.gifOfFrames(10_000), await hostile.animatedWebp()]) {
    const outcome = await decoder.decode(bytes, never)
    assert.ok(outcome.kind === 'decoded' && outcome.animated)
  }
  const still = await decoder.decode(hostile.gifOfFrames(1), never)
  assert.ok(still.kind === 'decoded' && !still.animated)
})

test('refuses a picture that needs more memory than a child has', async (t) => {
  await using decoder = await startDecoder({ memoryBytes: 128 * 1024 * 1024 })
  if (decoder.sandbox().limits === 'missing') return t.skip('no prlimit on this machine')
  const outcome = await decoder.decode(await slowImage(), never)
  assert.deepEqual(outcome, { kind: 'failed', reason: 'decoder-memory' })
})

test('kills a child that takes too long and goes on with another', async () => {
  await using decoder = await startDecoder({ wallMs: 60 })
  const outcome = await decoder.decode(await slowImage(), never)
  assert.deepEqual(outcome, { kind: 'failed', reason: 'decoder-timeout' })
  assert.deepEqual(decoder.pids, [])
  const small = await hostile.picture('png', 8, 8)
  let next = await decoder.decode(small, never)
  // On a busy machine that may take as long too.
  for (let tries = 0; tries < 50 && next.kind === 'failed'; tries += 1) {
    assert.equal(next.reason, 'decoder-timeout')
    next = await decoder.decode(small, never)
  }
  assert.equal(next.kind, 'decoded')
})

test('survives a child that is killed in the middle of a picture', async () => {
  await using decoder = await startDecoder({ wallMs: 20_000 })
  await decoder.decode(await hostile.picture('png'), never)
  const [pid] = decoder.pids
  const outcome = decoder.decode(await slowImage(), never)
  await sleep(20)
  process.kill(pid!, 'SIGKILL')
  assert.deepEqual(await outcome, { kind: 'failed', reason: 'decoder-crash' })
  assert.equal((await decoder.decode(await hostile.picture('png'), never)).kind, 'decoded')
})

test('finishes the picture in hand when the service manager signals the whole group', async () => {
  await using decoder = await startDecoder({ wallMs: 20_000 })
  await decoder.decode(await hostile.picture('png'), never)
  const outcome = decoder.decode(await slowImage(), never)
  await sleep(20)
  process.kill(decoder.pids[0]!, 'SIGTERM')
  assert.equal((await outcome).kind, 'decoded')
})

test('replaces a child after its share of pictures', async () => {
  await using decoder = await startDecoder({ imagesPerChildMax: 2 })
  const pids = []
  for (let i = 0; i < 4; i++) {
    await decoder.decode(await hostile.picture('png', 8, 8), never)
    pids.push(decoder.pids[0])
  }
  assert.equal(pids[0], pids[1])
  assert.notEqual(pids[1], pids[2])
  assert.equal(pids[2], pids[3])
})

test('lets callers wait for a slot and loses none of them', async () => {
  await using decoder = await startDecoder({ slots: 2 })
  const png = await hostile.picture('png')
  const outcomes = await Promise.all(Array.from({ length: 30 }, () => decoder.decode(png, never)))
  assert.ok(outcomes.every(({ kind }) => kind === 'decoded'))
  assert.equal(decoder.waiting, 0)
  assert.equal(decoder.pids.length, 2)
})

test('stops waiting when the caller gives up, in the queue or in the middle', async () => {
  await using decoder = await startDecoder({ wallMs: 20_000 })
  const slow = await slowImage()
  const running = new AbortController()
  const queued = new AbortController()
  const first = decoder.decode(slow, running.signal)
  const second = decoder.decode(slow, queued.signal)
  const third = decoder.decode(await hostile.picture('png'), never)
  queued.abort(new Error('gave up'))
  running.abort(new Error('gave up too'))
  await assert.rejects(second, /gave up/)
  await assert.rejects(first, /gave up too/)
  assert.equal((await third).kind, 'decoded')
})

test('ends its children when it is disposed of and leaves nobody waiting', async () => {
  const decoder = await startDecoder({ wallMs: 20_000 })
  await decoder.decode(await hostile.picture('png'), never)
  const [pid] = decoder.pids
  const slow = await slowImage()
  const cut = [decoder.decode(slow, never), decoder.decode(slow, never)]
  const refused = Promise.all(cut.map((one) => assert.rejects(one, RetryableError)))
  await decoder[Symbol.asyncDispose]()
  await refused
  assert.throws(() => process.kill(pid!, 0), { code: 'ESRCH' })
  await assert.rejects(decoder.decode(slow, never), RetryableError)
})

test('hashes without WebAssembly where there is none, and says so once', async (t) => {
  if (process.arch !== 'x64') return t.skip('only x64 lets its SIMD be switched off')
  const folder = await mkdtemp(join(tmpdir(), 'blobwatch-node-'))
  t.after(() => rm(folder, { recursive: true }))
  // A processor without SSE 4.1 has no SIMD for WebAssembly. The child's own user must be able to reach the script.
  await chmod(folder, 0o755)
  const nodePath = join(folder, 'node')
  const script = `#!/bin/sh\nexec ${process.execPath} --no-enable-sse4-1 "$@"\n`
  await writeFile(nodePath, script, { mode: 0o755 })
  const warnings: string[] = []
  const warn = (message: string) => void warnings.push(message)
  await using decoder = await startDecoder({ nodePath, warn, wallMs: 20_000 })
  const png = await hostile.picture('png')
  for (let i = 0; i < 2; i++) {
    const outcome = await decoder.decode(png, never)
    assert.ok(outcome.kind === 'decoded')
    assert.deepEqual(outcome.pdq, pdqHash(rgbOf('octaves', 160, 120), 160, 120, 3))
    assert.equal(outcome.variants.length, 7)
  }
  assert.equal(warnings.filter((message) => message.includes('WebAssembly')).length, 1)
})

test('has WebAssembly inside the sandbox', async () => {
  const warnings: string[] = []
  await using decoder = await startDecoder({ warn: (message) => void warnings.push(message) })
  await decoder.decode(await hostile.picture('png'), never)
  assert.deepEqual(
    warnings.filter((message) => message.includes('WebAssembly')),
    [],
  )
})
