import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { Decrypter, generateIdentity, identityToRecipient } from 'age-encryption'
import fc from 'fast-check'
import { blobCidOf } from '../domain/cid.ts'
import { PermanentError, UsageError } from '../domain/errors.ts'
import { containerMagic, packEvidence, unpackEvidence } from './container.ts'
import type { EvidenceFacts } from './container.ts'
import { createDiskStore } from './disk-store.ts'
import { createVault, openEvidence } from './vault.ts'

const officer = await generateIdentity()
const second = await generateIdentity()
const service = await generateIdentity()
const store = createDiskStore({ dir: '/nowhere' })
const vault = createVault({
  store,
  recipients: [await identityToRecipient(officer), await identityToRecipient(second)],
  serviceRecipient: await identityToRecipient(service),
})

function factsOf(bytes: Uint8Array): EvidenceFacts {
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  return {
    evidence: 7,
    case: 3,
    cid: blobCidOf(sha256),
    sha256,
    media: 'image',
    bytes: bytes.length,
    did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    record: {
      uri: 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/a',
      served: { json: '{"text":"two\\nlines \u2028 \u0000"}' },
    },
    seenAt: '2026-11-21T12:00:00.000Z',
    source: 'firehose',
    keptAt: '2026-11-21T12:00:01.000Z',
    bank: 'b1',
    keptBy: 'blobwatch test',
  }
}

test('a container gives back its facts and its bytes, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), fc.string(), (bytes, handle) => {
      const facts = { ...factsOf(bytes), handle }
      const back = unpackEvidence(packEvidence(facts, bytes))
      assert.deepEqual(back.facts, facts)
      assert.deepEqual(Buffer.from(back.bytes), Buffer.from(bytes))
    }),
  )
})

test('a container that was changed or cut off anywhere says so', () => {
  const bytes = Buffer.from('the picture')
  const whole = packEvidence(factsOf(bytes), bytes)
  for (let end = 0; end < whole.length; end += 1)
    assert.throws(() => unpackEvidence(whole.subarray(0, end)), PermanentError)
  const other = Buffer.from(whole)
  other[other.length - 1] = 0
  assert.throws(() => unpackEvidence(other), /not those that the facts name/)
  const future = Buffer.from(
    Buffer.from(whole).toString().replace(containerMagic, 'blobwatch-evidence/2'),
  )
  assert.throws(() => unpackEvidence(future), /has the format blobwatch-evidence\/2/)
  assert.throws(() => unpackEvidence(randomBytes(300)), PermanentError)
})

test('each offline recipient opens the sealed copy alone, and the service does not', async () => {
  const bytes = randomBytes(200_000)
  const { sealed, working } = await vault.seal(factsOf(bytes), bytes)
  for (const identity of [officer, second]) {
    const decrypter = new Decrypter()
    decrypter.addIdentity(identity)
    const container = await decrypter.decrypt(sealed.bytes)
    assert.deepEqual(Buffer.from(unpackEvidence(container).bytes), bytes)
  }
  await assert.rejects(openEvidence(sealed.bytes, service), PermanentError)
  assert.deepEqual(Buffer.from((await openEvidence(working.bytes, service)).bytes), bytes)
  await assert.rejects(openEvidence(working.bytes, officer), PermanentError)
})

test('a copy with one bit changed does not open', async () => {
  const bytes = randomBytes(1000)
  const { working } = await vault.seal(factsOf(bytes), bytes)
  for (const at of [10, 150, working.bytes.length - 1]) {
    const changed = Buffer.from(working.bytes)
    changed[at] = (changed[at] ?? 0) ^ 1
    await assert.rejects(openEvidence(changed, service), PermanentError)
  }
})

test('no copy shows a byte of the picture or a word of the facts', async () => {
  const bytes = Buffer.from('a picture that has to stay where it is')
  const { sealed, working } = await vault.seal(factsOf(bytes), bytes)
  for (const copy of [sealed, working])
    for (const secret of ['a picture', 'did:plc', 'bafk', 'app.bsky'])
      assert.equal(Buffer.from(copy.bytes).indexOf(secret), -1)
})

test('the age tool and plain tail give the picture back from a sealed copy', async (t) => {
  const run = promisify(execFile)
  const version = await run('age', ['--version']).catch(() => undefined)
  if (version === undefined) {
    t.skip('the age tool is not on this machine')
    return
  }
  const dir = await mkdtemp(join(tmpdir(), 'blobwatch-age-'))
  try {
    const bytes = randomBytes(70_000)
    const { sealed } = await vault.seal(factsOf(bytes), bytes)
    await writeFile(join(dir, 'sealed.age'), sealed.bytes)
    await writeFile(join(dir, 'key.txt'), officer, { mode: 0o600 })
    await run('sh', ['-c', 'age -d -i key.txt sealed.age | tail -n +3 > picture'], { cwd: dir })
    const { stdout } = await run('sha256sum', ['picture'], { cwd: dir })
    assert.equal(stdout.split(' ')[0], factsOf(bytes).sha256)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
})

test('a recipient with a typing error is refused at the start', async () => {
  const good = await identityToRecipient(officer)
  const bad = `${good.slice(0, -1)}${good.endsWith('q') ? 'p' : 'q'}`
  for (const options of [
    { recipients: [good, bad], serviceRecipient: good },
    { recipients: [good], serviceRecipient: bad },
  ])
    assert.throws(() => createVault({ store, ...options }), UsageError)
})
