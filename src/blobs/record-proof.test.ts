// Proofs as a hostile host makes them: the account's owner has the key and may sign whatever they like.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Secp256k1Keypair } from '@atproto/crypto'
import { encode } from '@atproto/lex-cbor'
import { cidForRawHash, decodeCid } from '@atproto/lex-data'
import type { Cid, LexMap } from '@atproto/lex-data'
import { BlockMap, blocksToCarFile, MemoryBlockstore, MST, signCommit } from '@atproto/repo'
import { createHash } from 'node:crypto'
import { createHostClient } from './host-client.ts'
import { startHost, unhurried as signal } from './loopback-host.ts'
import { verifyRecordCarries } from './record-proof.ts'

const did = `did:plc:${'e'.repeat(24)}`
const pds = 'https://pds.watch.net'
const collection = 'app.bsky.feed.post'
const rkey = '3kaaaaaaaaaaa'
const blobCid = cidForRawHash(Buffer.alloc(32, 7)).toString()
const record = { $type: collection, embed: { blob: blobCid } }
const key = await Secp256k1Keypair.create()
const otherKey = await Secp256k1Keypair.create()
const badAnswer = { kind: 'unavailable', reason: 'bad-answer' }

describe('a record proof', { timeout: 20_000 }, () => {
  test('holds for a signed tree with the record', async () => {
    const { car, recordCid } = await proofCar({ [`${collection}/${rkey}`]: record })
    assert.deepEqual(await prove(car), { kind: 'proved', recordCid })
  })

  test('finds that another record does not carry the blob', async () => {
    const { car } = await proofCar({ [`${collection}/${rkey}`]: { $type: collection } })
    assert.deepEqual(await prove(car), { kind: 'not-carried' })
  })

  test('finds that a signed tree has no such record', async () => {
    const { car } = await proofCar({ [`${collection}/3kbbbbbbbbbbb`]: record })
    assert.deepEqual(await prove(car), { kind: 'not-there' })
    assert.deepEqual(await prove((await proofCar({})).car), { kind: 'not-there' })
  })

  test('fails for another key, another account, a missing or changed block', async () => {
    const records = { [`${collection}/${rkey}`]: record }
    const { car } = await proofCar(records)
    const flipped = Uint8Array.from(car)
    flipped[flipped.length - 3] = (flipped[flipped.length - 3] ?? 0) ^ 1
    const cars = [
      (await proofCar(records, { signer: otherKey })).car,
      (await proofCar(records, { account: `did:plc:${'f'.repeat(24)}` })).car,
      (await proofCar(records, { leaveOut: 'record' })).car,
      (await proofCar(records, { leaveOut: 'tree' })).car,
      flipped,
      car.subarray(0, car.length - 10),
      new Uint8Array(0),
      new Uint8Array(100_000).fill(255),
      Buffer.from('<!doctype html>'),
    ]
    for (const [index, each] of cars.entries()) {
      assert.deepEqual(await prove(each), badAnswer, `car ${index}`)
    }
  })

  test('is not delayed by a tree whose nodes repeat one child', async () => {
    const startedMs = performance.now()
    assert.deepEqual(await prove(await bombCar()), { kind: 'not-there' })
    assert.ok(performance.now() - startedMs < 2000)
  })

  test('survives a record that is nested to the limit', async () => {
    const depth = 500_000
    const nested = Buffer.concat([Buffer.alloc(depth, 0x81), Buffer.from([0x80])])
    const head = Buffer.concat([Buffer.from([0xa1, 0x61, 0x61]), nested])
    const { car } = await proofCar({ [`${collection}/${rkey}`]: head })
    assert.deepEqual(await prove(car), badAnswer)
  })

  test('asks once more with a fresh document when the key does not fit, and then believes it', async () => {
    const { car, recordCid } = await proofCar({ [`${collection}/${rkey}`]: record })
    const asked: boolean[] = []
    const proof = await prove(car, {
      pdsOf: (fresh: boolean) => void asked.push(fresh),
      keyOf: () => (asked.at(-1) ? key.did() : otherKey.did()),
    })
    assert.deepEqual(proof, { kind: 'proved', recordCid })
    assert.deepEqual(asked, [false, true])
  })

  test('says what the host says instead of a proof', async () => {
    const answers: [number, object, object][] = [
      [400, { error: 'RecordNotFound' }, { kind: 'not-there' }],
      [400, { error: 'RepoNotFound' }, { kind: 'unavailable', reason: 'not-found' }],
      [400, { error: 'RepoTakendown' }, { kind: 'unavailable', reason: 'account-inactive' }],
      [403, {}, { kind: 'unavailable', reason: 'refused' }],
      [500, {}, { kind: 'deferred', reason: 'server-error' }],
    ]
    for (const [status, body, expected] of answers) {
      const text = Buffer.from(JSON.stringify(body))
      assert.deepEqual(await prove(text, { status }), expected)
    }
    const tooLarge = { kind: 'unavailable', reason: 'too-large' }
    assert.deepEqual(await prove(new Uint8Array(2 * 1024 * 1024 + 1)), tooLarge)
  })
})

async function prove(
  body: Uint8Array,
  {
    status = 200,
    pdsOf = (_fresh: boolean): void => undefined,
    keyOf = (): string => key.did(),
  } = {},
) {
  await using host = await startHost(
    (_request, response) => void response.writeHead(status).end(body),
  )
  const pair = { url: pds, address: host.origin }
  return await verifyRecordCarries({
    did,
    collection,
    rkey,
    blobCid,
    signal,
    client: createHostClient({ clock: Date.now, pair }),
    carries: (value, cid) => JSON.stringify(value).includes(cid),
    resolver: {
      pdsOf: (_did, { fresh = false }) => {
        pdsOf(fresh)
        return Promise.resolve({ kind: 'found', pds })
      },
      signingKeyOf: () => Promise.resolve(keyOf()),
      handleOf: async () => undefined,
      forget: () => undefined,
    },
  })
}

async function proofCar(
  records: Record<string, LexMap | Uint8Array>,
  { signer = key, account = did, leaveOut = undefined as 'record' | 'tree' | undefined } = {},
) {
  const blocks = new BlockMap()
  let tree = await MST.create(new MemoryBlockstore())
  let recordCid = ''
  for (const [path, value] of Object.entries(records)) {
    const bytes = value instanceof Uint8Array ? value : encode(value)
    const cid = cborCid(bytes)
    recordCid = cid.toString()
    tree = await tree.add(path, cid)
    if (leaveOut !== 'record') blocks.set(cid, bytes)
  }
  const unstored = await tree.getUnstoredBlocks()
  if (leaveOut !== 'tree') blocks.addMap(unstored.blocks)
  const car = await signedCar(blocks, unstored.root, { signer, account })
  return { car, recordCid }
}

async function signedCar(
  blocks: BlockMap,
  data: Cid,
  { signer = key, account = did } = {},
): Promise<Uint8Array> {
  const unsigned = { did: account, version: 3 as const, data, rev: '3kaaaaaaaaaaa', prev: null }
  const commit = await signCommit(unsigned, signer)
  const root = await blocks.add(commit)
  return await blocksToCarFile(root, blocks)
}

/** Forty layers of nodes, each with twenty pointers to the one below: 20^40 walks, a few kilobytes. */
async function bombCar(): Promise<Uint8Array> {
  const blocks = new BlockMap()
  const leaf = cborCid(encode({ $type: collection }))
  let below: Cid | null = null
  for (let layer = 0; layer < 40; layer++) {
    const e = Array.from({ length: 20 }, (_value, index) => ({
      p: 0,
      k: Buffer.from(`${collection}/3j${String(index).padStart(11, 'a')}`),
      v: leaf,
      t: below,
    }))
    below = await blocks.add({ l: below, e })
  }
  assert.ok(below !== null)
  return await signedCar(blocks, below)
}

/** CIDv1, dag-cbor, sha2-256. */
function cborCid(bytes: Uint8Array): Cid {
  const digest = createHash('sha256').update(bytes).digest()
  return decodeCid(Buffer.concat([Buffer.from([1, 0x71, 0x12, 0x20]), digest]))
}
