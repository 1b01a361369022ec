import assert from 'node:assert/strict'
import { after, beforeEach, test } from 'node:test'
import { PermanentError, RetryableError } from '../domain/errors.ts'
import { contractBytesMax, evidenceStoreContract } from './evidence-store.contract.ts'
import { newObjectName } from './object-name.ts'
import { s3Key, startS3StandIn } from './s3-stand-in.ts'
import { createS3Store } from './s3-store.ts'

const s3 = await startS3StandIn()
after(() => s3[Symbol.asyncDispose]())
beforeEach(() => s3.be(undefined))
const open = (other: Partial<typeof s3Key & { timeMs: number }> = {}) =>
  createS3Store({ url: s3.url, objectBytesMax: contractBytesMax, ...s3Key, ...other })
const signal = new AbortController().signal

evidenceStoreContract('S3', open)

const wrong: [string, Partial<typeof s3Key>, RegExp][] = [
  ['secret', { secret: 'another' }, /403 \(SignatureDoesNotMatch\)/],
  ['key id', { keyId: 'AKIDOTHER' }, /403 \(InvalidAccessKeyId\)/],
  ['region', { region: 'us-east-1' }, /403 \(AuthorizationHeaderMalformed\)/],
  ['bucket', { bucket: 'not-there' }, /404 \(NoSuchBucket\)/],
]
for (const [what, setting, told] of wrong) {
  test(`a wrong ${what} is told for good, and is never taken for a missing object`, async () => {
    const store = open(setting)
    const name = newObjectName()
    for (const asked of [
      () => store.put(name, Buffer.from('x'), signal),
      () => store.get(name, signal),
      () => store.remove(name, signal),
    ]) {
      await assert.rejects(asked, (error: Error) => {
        assert.ok(error instanceof PermanentError)
        assert.match(error.message, told)
        assert.ok(![name, s3Key.secret, s3Key.keyId].some((one) => error.message.includes(one)))
        return true
      })
    }
    assert.ok(!s3.objects.has(`${name}.age`))
  })
}

for (const status of [500, 503, 429]) {
  test(`an answer ${status} is worth another try, for each request`, async () => {
    s3.be({ status, code: 'SlowDown' })
    const name = newObjectName()
    for (const asked of [
      () => open().put(name, Buffer.from('x'), signal),
      () => open().get(name, signal),
      () => open().has(name, signal),
      () => open().remove(name, signal),
    ])
      await assert.rejects(asked, RetryableError)
  })
}

test('a service that does not answer is given up after its time', async () => {
  s3.be('hangs')
  await assert.rejects(
    open({ timeMs: 50 }).put(newObjectName(), Buffer.from('x'), signal),
    RetryableError,
  )
})

test('a service that is not there is worth another try', async () => {
  const store = createS3Store({ ...s3Key, url: 'http://127.0.0.1:1' })
  await assert.rejects(store.put(newObjectName(), Buffer.from('x'), signal), RetryableError)
})

test('a redirect is not followed, so the key stays with the host that was named', async () => {
  s3.be('redirects')
  await assert.rejects(open().get(newObjectName(), signal), PermanentError)
})

test('a long error is not read to its end and not quoted', async () => {
  s3.be('babbles')
  await assert.rejects(open().get(newObjectName(), signal), { message: 'S3 answers 500' })
})

test('an object larger than it may be is not read to its end', async () => {
  const name = newObjectName()
  s3.objects.set(`${name}.age`, Buffer.alloc(contractBytesMax + 1))
  await assert.rejects(open().get(name, signal), PermanentError)
})

test('a bucket that keeps versions says so when something is removed', async () => {
  s3.keepVersions(true)
  const name = newObjectName()
  await open().put(name, Buffer.from('x'), signal)
  assert.deepEqual(await open().remove(name, signal), { versionsKept: true })
  s3.keepVersions(false)
})

test('nothing but the four plain requests is ever made', () => {
  assert.ok(s3.requests.length > 0)
  for (const request of s3.requests)
    assert.match(request, /^(PUT|GET|HEAD|DELETE) \/[a-z-]+\/[0-9a-f]{40}\.age$/)
})
