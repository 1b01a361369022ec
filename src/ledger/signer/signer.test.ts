import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { FatalError, PermanentError, UsageError } from '../../domain/errors.ts'
import { openCheckpoint, signedByLog } from '../note/checkpoint.ts'
import { parseVerifierKey } from '../note/key.ts'
import type { VerifierKey } from '../note/key.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import { adoptCheckpoint } from './adopt.ts'
import { headFileName } from './head-file.ts'
import { createHeadKeeper } from './head-keeper.ts'
import { makeKeyFile, readKeyFile } from './key-file.ts'
import { makeTestLog } from './log-in-test.ts'
import { openSigner } from './open-signer.ts'
import { createSignerClient } from './signer-client.ts'
import { serveSigner } from './signer-server.ts'
import { createSigner } from './signer.ts'
import type { LedgerSigner, SignAnswer, SignRequest } from './signer.ts'

const name = 'log.test/main'
const key = makeSignerKey(name, 'log', Buffer.alloc(32, 7))
const log = makeTestLog(name, { size: 600 })
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-signer-'))
after(() => rm(dir, { recursive: true, force: true }))

let made = 0
const freshFolder = () => join(dir, `heads-${(made += 1)}`)

type Made = { signer: LedgerSigner; folder: string; end: () => Promise<void> }

async function inProcess(): Promise<Made> {
  const folder = freshFolder()
  const signer = createSigner({ key, keeper: await createHeadKeeper({ folder }) })
  return { signer, folder, end: () => Promise.resolve() }
}

async function behindSocket(): Promise<Made> {
  const { signer, folder } = await inProcess()
  const path = join(dir, `socket-${made}`)
  const server = await serveSigner({ signer, path })
  return { signer: createSignerClient({ path }), folder, end: () => server.close() }
}

for (const [where, make] of [
  ['in this process', inProcess],
  ['behind a socket', behindSocket],
] as const) {
  describe(`a signer ${where}`, () => {
    const started: Made[] = []
    const start = async () => {
      const one = await make()
      started.push(one)
      return one
    }
    after(async () => {
      for (const { end } of started) await end()
    })

    test('signs a log as it grows, and knows its newest head', async () => {
      const { signer } = await start()
      assert.equal(await signer.head(name), undefined)
      for (const [old, size] of [
        [0, 0],
        [0, 1],
        [1, 256],
        [256, 257],
        [257, 600],
      ] as const) {
        const answer = await signer.sign(await log.request(old, size))
        assertSigned(answer, key.verifier, { origin: name, size })
        assert.deepEqual(await signer.head(name), {
          size,
          root: Uint8Array.from(await log.prover.rootAt(size)),
        })
      }
    })

    test('the same head again is the same note: a lost answer is asked for again', async () => {
      const { signer } = await start()
      const first = await signer.sign(await log.request(0, 300))
      assert.deepEqual(await signer.sign(await log.request(300, 300)), first)
    })

    test('refuses what is not its own head grown by a proof, says why, and keeps its head', async () => {
      const { signer } = await start()
      await signer.sign(await log.request(0, 300))
      const fork = makeTestLog(name, { size: 600, forkAt: 299 })
      const before = await signer.head(name)
      const request = await log.request(300, 600)
      const cases: [SignRequest, RegExp][] = [
        [await log.request(0, 600), /300 entries, not 0/],
        [await log.request(299, 600), /300 entries, not 299/],
        [await log.request(301, 600), /300 entries, not 301/],
        [await log.request(0, 200), /a ledger of 200 has lost some/],
        [await log.request(200, 200), /a ledger of 200 has lost some/],
        [{ ...(await log.request(0, 200)), old: 300 }, /nothing proves/],
        [await fork.request(300, 300), /another root/],
        [await fork.request(300, 600), /nothing proves/],
        [{ ...request, proof: [] }, /nothing proves/],
        [{ ...request, proof: request.proof.slice(1) }, /nothing proves/],
        [{ ...request, proof: request.proof.toReversed() }, /nothing proves/],
        [{ ...(await log.request(300, 300)), proof: request.proof }, /nothing proves/],
      ]
      for (const [asked, why] of cases) {
        const answer = await signer.sign(asked)
        assert.ok(answer.kind === 'refused', String(why))
        assert.match(answer.reason, why)
        assert.deepEqual(answer.head, before)
      }
      assert.deepEqual(await signer.head(name), before)
      assertSigned(await signer.sign(request), key.verifier, { origin: name, size: 600 })
    })

    test('signs for its own name and the logs recovered from it, each with a head and a key id of its own', async () => {
      const { signer } = await start()
      await signer.sign(await log.request(0, 600))
      const recovered = makeTestLog(`${name}/recovered-2`, { size: 5 })
      const answer = await signer.sign(await recovered.request(0, 5))
      const pinned = parseVerifierKey(await signer.verifierKey(recovered.origin))
      assert.ok(typeof pinned !== 'string')
      assert.notEqual(pinned.keyId, key.verifier.keyId)
      assertSigned(answer, pinned, { origin: recovered.origin, size: 5 })
      assert.equal((await signer.head(name))?.size, 600)
      assert.equal(await signer.verifierKey(), await signer.verifierKey(name))
      for (const origin of [
        'other.test/main',
        'log.test',
        `${name}/recovered-1`,
        `${name}/recovered-02`,
        `${name}/recovered-2/recovered-2`,
        `${name}/recovered-`,
        `${name}/else`,
        '',
      ]) {
        if (origin !== '') {
          const foreign = await signer.sign({ ...(await log.request(0, 5)), origin })
          assert.equal(foreign.kind, 'refused', origin)
        }
        await assert.rejects(signer.head(origin), PermanentError, origin)
        await assert.rejects(signer.verifierKey(origin), PermanentError, origin)
      }
    })

    test('a head that is damaged or gone is not taken for none: nothing is signed until the operator adopts one', async () => {
      const { signer, folder } = await start()
      const signed = await signer.sign(await log.request(0, 300))
      assert.ok(signed.kind === 'signed')
      const file = join(folder, headFileName(name))
      const whole = await readFile(file, 'utf8')
      const damages: (readonly [string, () => Promise<void>])[] = [
        ['empty', () => writeFile(file, '')],
        ['cut', () => writeFile(file, whole.slice(0, -20))],
        ['without its last byte', () => writeFile(file, whole.slice(0, -1))],
        ['changed', () => writeFile(file, whole.replace('"size":300', '"size":200'))],
        ['rubbish', () => writeFile(file, Buffer.alloc(500, 0xff))],
        ['gone', () => rm(file)],
      ]
      for (const [what, damage] of damages) {
        await damage()
        await assert.rejects(signer.head(name), FatalError, what)
        for (const request of [await log.request(0, 600), await log.request(300, 600)]) {
          const answer = await signer.sign(request)
          assert.ok(answer.kind === 'refused', what)
          assert.match(answer.reason, /not known, so nothing is signed/)
          assert.equal(answer.head, undefined)
        }
      }
      const keeper = await createHeadKeeper({ folder })
      const keyOf = (origin: string) => (origin === name ? key.verifier : undefined)
      await assert.rejects(
        adoptCheckpoint({ note: signed.note.replace('300', '299'), keeper, keyOf }),
        UsageError,
      )
      await assert.rejects(adoptCheckpoint({ note: 'rubbish', keeper, keyOf }), UsageError)
      await adoptCheckpoint({ note: signed.note, keeper, keyOf })
      assert.equal((await signer.head(name))?.size, 300)
      const grown = await signer.sign(await log.request(300, 600))
      assertSigned(grown, key.verifier, { origin: name, size: 600 })
      // A sound head is never set back, not even by the operator's word.
      await assert.rejects(adoptCheckpoint({ note: signed.note, keeper, keyOf }), UsageError)
    })
  })
}

describe('the key file', () => {
  test('is made once, closed to others, and the same for everybody who starts at once', async () => {
    const settings = { dataDir: join(dir, 'data'), signerSocket: undefined, signerKey: undefined }
    const signers = await Promise.all([1, 2, 3, 4].map(() => openSigner(settings, name)))
    const keys = await Promise.all(signers.map((signer) => signer.verifierKey()))
    assert.equal(new Set(keys).size, 1)
    const file = join(settings.dataDir, 'ledger.key')
    assert.equal((await stat(file)).mode & 0o777, 0o600)
    assert.equal(await (await openSigner(settings, name)).verifierKey(), keys[0])
    await assert.rejects(openSigner(settings, 'other.test/main'), /set BLOBWATCH_LOG_NAME/)
    await chmod(file, 0o640)
    await assert.rejects(openSigner(settings, name), /can be read by others: chmod 600/)
  })

  test('refuses rubbish and the key of a witness, and shows neither', async () => {
    const file = join(dir, 'witness.key')
    assert.ok(await makeKeyFile(file, 'witness.test', 'witness'))
    assert.equal(await makeKeyFile(file, 'witness.test', 'witness'), undefined)
    await assert.rejects(readKeyFile(file, 'log'), /key of a witness, not of a log/)
    await writeFile(file, key.secret.slice(0, -3))
    await assert.rejects(
      readKeyFile(file, 'log'),
      (error: Error) => error instanceof UsageError && !error.message.includes('PRIVATE+KEY+log'),
    )
    assert.equal(await readKeyFile(join(dir, 'nowhere'), 'log'), undefined)
  })
})

function assertSigned(
  answer: SignAnswer,
  key: VerifierKey,
  head: { origin: string; size: number },
): void {
  assert.ok(answer.kind === 'signed', JSON.stringify(answer))
  const opened = openCheckpoint(answer.note, [key])
  assert.ok(typeof opened !== 'string' && signedByLog(opened))
  assert.deepEqual(
    { origin: opened.checkpoint.origin, size: opened.checkpoint.size },
    { origin: head.origin, size: head.size },
  )
}
