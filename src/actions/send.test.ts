import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blobCidOf, recordCidOf } from '../domain/cid.ts'
import type { TakedownPort } from '../domain/ports.ts'
import type { ClaimedAction } from '../steps/act.ts'
import { sendAction } from './send.ts'
import type { RecordProof, SendOptions } from './send.ts'

const digest = 'ab'.repeat(32)
const recordDigest = 'cd'.repeat(32)

function claimed(change: Partial<ClaimedAction>): ClaimedAction {
  return {
    action: 7,
    token: 'token',
    kind: 'takedown-blob',
    applied: true,
    attempts: 1,
    ref: 'blobwatch:d:1',
    detail: null,
    account: 1,
    did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    blob_cid: digest,
    collection: 'app.bsky.feed.post',
    rkey: '3kabc',
    record_cid: recordDigest,
    source: 'firehose',
    ...change,
  }
}

/** A PDS in memory that counts what reached it. */
function pds() {
  const set: unknown[] = []
  let applied = false
  const port: TakedownPort = {
    status: async () => ({ kind: 'known', applied, ...(applied && { ref: 'blobwatch:d:1' }) }),
    set: async (subject, takedown) => {
      set.push(subject)
      applied = takedown.applied
    },
  }
  return { port, set }
}

function options(change: Partial<SendOptions> & { proof?: RecordProof } = {}): SendOptions {
  return {
    takedowns: pds().port,
    sign: async (label) => ({ ...label, src: 'did:web:l', sigHex: '00', keyDid: 'did:key:z' }),
    prove: async () => change.proof ?? { kind: 'proved', recordCid: recordCidOf(recordDigest) },
    nowMs: 0,
    signal: new AbortController().signal,
    ...change,
  }
}

test('takes a blob down by its account and CID, with our reference', async () => {
  const host = pds()
  const sent = await sendAction(claimed({}), options({ takedowns: host.port }))
  assert.deepEqual(host.set, [
    { kind: 'blob', did: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa', blobCid: blobCidOf(digest) },
  ])
  assert.deepEqual(sent.outcome, { kind: 'done', detail: { applied: true, ref: 'blobwatch:d:1' } })
})

test('touches no record that its host does not prove to carry the blob', async () => {
  const proofs: [RecordProof, string][] = [
    [{ kind: 'not-there' }, 'refused'],
    [{ kind: 'not-carried' }, 'refused'],
    [{ kind: 'unavailable', reason: 'no-pds' }, 'refused'],
    [{ kind: 'deferred', reason: 'timeout' }, 'retry'],
  ]
  for (const kind of ['takedown-record', 'label'] as const) {
    for (const [proof, outcome] of proofs) {
      const host = pds()
      const action = claimed({ kind, detail: { val: 'spam' } })
      const sent = await sendAction(action, options({ takedowns: host.port, proof }))
      assert.equal(sent.outcome.kind, outcome, `${kind} ${proof.kind}`)
      assert.deepEqual([host.set, sent.label], [[], undefined])
    }
  }
})

test('labels the version of the record that was proved, and negates that same version', async () => {
  const label = await sendAction(claimed({ kind: 'label', detail: { val: 'spam' } }), options())
  assert.equal(label.label?.cid, recordCidOf(recordDigest))
  const undo = claimed({
    kind: 'label',
    applied: false,
    detail: { val: 'spam', cid: label.label.cid ?? '' },
  })
  const negation = await sendAction(undo, options({ proof: { kind: 'not-there' } }))
  assert.deepEqual([negation.label?.neg, negation.label?.cid], [true, label.label.cid])
})

test('takes a record takedown back although the record is gone', async () => {
  const sent = await sendAction(
    claimed({ kind: 'takedown-record', applied: false }),
    options({ proof: { kind: 'not-there' } }),
  )
  assert.equal(sent.outcome.kind, 'done')
})

test('waits where a credential is missing, and refuses for an account that was erased', async () => {
  const label = claimed({ kind: 'label', detail: { val: 'spam' } })
  const waits = [
    await sendAction(claimed({}), options({ takedowns: undefined })),
    await sendAction(label, options({ sign: undefined })),
  ]
  assert.deepEqual(
    waits.map((sent) => sent.outcome.kind),
    ['retry', 'retry'],
  )
  const erased = await sendAction(claimed({ did: null }), options())
  assert.deepEqual(erased.outcome, { kind: 'refused', reason: 'account-erased' })
})
