import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { canaryPicture } from './canary.ts'
import {
  postLinkCard,
  postPictures,
  postRecordWithMedia,
  putUnknownRecord,
  setAvatar,
  startNetwork,
} from './network.ts'

const network = await startNetwork()
after(network.close)

test('a real PDS keeps pictures in every kind of record and gives their bytes back', async () => {
  const alice = await network.createAccount('alice')
  const bytes = await canaryPicture({ seed: 1, width: 64, height: 48 })
  const first = await postPictures(alice, [bytes])
  const made = [
    first,
    await postRecordWithMedia(alice, [bytes], first),
    await postLinkCard(alice, bytes),
    await setAvatar(alice, bytes),
    await putUnknownRecord(alice, bytes),
  ]
  assert.equal(new Set(made.flatMap((post) => post.blobCids)).size, 1)
  const url = `${network.pdsUrl}/xrpc/com.atproto.sync.getBlob?did=${alice.did}&cid=${first.blobCids[0]}`
  assert.deepEqual(new Uint8Array(await (await fetch(url)).arrayBuffer()), new Uint8Array(bytes))
})

test('the PDS takes the admin password', async () => {
  const bob = await network.createAccount('bob')
  const url = `${network.pdsUrl}/xrpc/com.atproto.admin.getSubjectStatus?did=${bob.did}`
  const answer = await fetch(url, { headers: { authorization: network.adminAuthorization } })
  assert.equal(answer.status, 200)
})
