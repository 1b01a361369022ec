import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatVerifierKey } from '../note/key.ts'
import { parsePolicy } from '../note/policy.ts'
import { makeSignerKey } from '../note/signer-key.ts'
import { createAnchors } from './create-anchors.ts'

const options = { verifierKey: () => Promise.reject(new TypeError('not asked')), nowMs: Date.now }

test('without a setting nobody holds our heads', () => {
  const none = { policy: undefined, record: undefined, tsaUrl: undefined }
  assert.deepEqual(createAnchors(none, options), [])
})

test('each witness with an address, the record and the authority is one, each with its own pace', () => {
  const keys = [1, 2, 3].map((seed) =>
    formatVerifierKey(makeSignerKey(`w${seed}.test`, 'witness', Buffer.alloc(32, seed)).verifier),
  )
  const policy = parsePolicy(
    `witness a ${keys[0]} http://127.0.0.1:7380\nwitness b ${keys[1]}\nwitness c ${keys[2]} https://c.test/w\ngroup g any a b c\nquorum g\n`,
  )
  assert.ok(!('problems' in policy))
  const record = {
    pdsUrl: 'https://pds.test',
    did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    password: 'x',
  }
  const anchors = createAnchors({ policy, record, tsaUrl: 'https://tsa.test/tsr' }, options)
  assert.deepEqual(
    anchors.map(({ kind, who }) => [kind, who]),
    [
      ['witness', 'a'],
      ['witness', 'c'],
      ['record', 'at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/org.blobwatch.ledger.checkpoint'],
      ['timestamp', 'https://tsa.test/tsr'],
    ],
  )
  // Witnesses hold a head within the minute that the ledger promises.
  assert.ok(anchors.every(({ kind, everyMs }) => (kind === 'witness') === everyMs < 60_000))
})
