// A flood beside a real PDS: one canary in a bank that acts on look-alikes, and eighty different recompressions of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import sharp from 'sharp'
import { addContent, createBank } from '../banks/bank-store.ts'
import { pdqHash } from '../signals/pdq/hash.ts'
import { principalId } from '../steps/withdraw.ts'
import { canaryPicture, recompressed } from '../testing/canary.ts'
import type { TestDatabase } from '../testing/database.ts'
import { postPictures } from '../testing/network.ts'
import { startRealWorld } from '../testing/real-service.ts'
import type { Posted } from '../testing/real-service.ts'

const posts = 80
const actionsMax = 50

test('eighty look-alikes of one canary: no more than the limit is taken down, the content is held, the rest waits in a case, the ledger verifies', async (t) => {
  await using world = await startRealWorld()
  const canary = await canaryPicture({ seed: 1, width: 320, height: 240 })
  const content = await bankIt(world.database, canary)
  const service = await world.start({ BLOBWATCH_ACTIONS_PER_CONTENT: String(actionsMax) })

  const made: Posted[] = []
  for (let n = 0; n < posts; n += 1) {
    const account = world.account(n)
    const post = await postPictures(account, [await recompressed(canary, 20 + n)])
    made.push({ did: account.did, post })
  }
  assert.equal(new Set(made.map(({ post }) => post.blobCids[0])).size, posts)
  await Promise.race([world.settled(posts), service.failed])

  assert.equal(await world.count("blob where verdict = 'matched'"), posts)
  assert.equal(await world.count(`bank_content where id = ${content} and held_at is not null`), 1)
  const done = await world.count("action where state = 'done'")
  const down = await world.takenDown(made)
  t.diagnostic(`${down} of ${posts * 2} subjects are down`)
  assert.equal(down, done)
  assert.ok(down <= actionsMax)
  assert.equal(
    await world.count("action where state = 'held' and waiting = 'flood'"),
    posts * 2 - done,
  )
  const waiting = await world.database.owner`
    select distinct c.id from action a join decision d on d.id = a.decision
    join case_blob b on b.blob_cid = d.blob_cid join case_file c on c.id = b.case_file
    where a.state = 'held' and c.state = 'open' and c.reason = 'flood'`
  assert.equal(waiting.length, 1, 'one case')
  const told = world.lines.filter((line) => line.includes('content-held'))
  assert.equal(told.length, 1)
  assert.equal(
    (JSON.parse(told[0] ?? '') as { caseNumber?: number }).caseNumber,
    waiting[0]?.['id'],
  )
  const held = (await world.ledger()).filter(({ type }) => type === 'content.held')
  assert.deepEqual(
    held.map(({ pub }) => pub['reason']),
    ['flood'],
  )
})

async function bankIt({ app }: TestDatabase, canary: Uint8Array): Promise<number> {
  const nowMs = Date.now()
  const principal = await principalId(app, { kind: 'person', name: 'erin', nowMs })
  const by = { principal, nowMs }
  await createBank(app, {
    name: 'NEAR',
    mode: 'act',
    class: 'restricted',
    policy: { perceptual: 'act' },
    ...by,
  })
  const { data, info } = await sharp(canary).raw().toBuffer({ resolveWithObject: true })
  const { hash, quality } = pdqHash(data, info.width, info.height, 3)
  const signals = [{ type: 'pdq' as const, value: hash, quality }]
  return (await addContent(app, { bank: 'NEAR', signals, ...by })).content
}
