// What was posted before anybody knew it, beside a real PDS: the preview, one held case, its confirmation, and all of it
// taken back again; each by the command that a person types.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import sharp from 'sharp'
import { commandLine } from '../commands/run-in-test.ts'
import { canaryPicture, cleanPicture, recompressed } from '../testing/canary.ts'
import { postPictures } from '../testing/network.ts'
import { startRealWorld } from '../testing/real-service.ts'
import type { Posted, RealWorld } from '../testing/real-service.ts'

const copies = 6
const others = 3
const perCopy = 2

test('a picture that is banked after it was posted: previewed, held as one case, confirmed, and reversed', async () => {
  await using world = await startRealWorld()
  const service = await world.start()
  const run = await commandLine(world.database)
  const canary = await canaryPicture({ seed: 1, width: 640, height: 480 })
  const made = await postCopies(world, canary)
  for (let n = 0; n < others; n += 1)
    await postPictures(world.account(n), [await cleanPicture(n, { width: 320, height: 240 })])
  await Promise.race([world.settled(copies + others), service.failed])
  assert.equal(await world.count("blob where verdict = 'clear'"), copies + others)

  const file = join(run.dir, 'canary.jpg')
  await writeFile(file, canary)
  const say = async (...words: string[]) => {
    const ran = await run(words)
    assert.equal(ran.code, 0, `${words.join(' ')}\n${ran.out}\n${ran.err}`)
    return ran
  }
  await say('bank', 'create', 'LATE', '--mode', 'act', '--perceptual', 'act')
  const preview = (await say('bank', 'add', 'LATE', file, '--dry-run')).out
  assert.match(preview, new RegExp(`would match ${copies} blobs of ${copies + others} seen`))
  assert.equal(await world.count('bank_content'), 0)

  await say('bank', 'add', 'LATE', file)
  await waitFor(async () => (await world.count("action where state = 'held'")) === copies * perCopy)
  await world.settled(copies + others)
  assert.equal(await world.takenDown(made), 0)
  const cases = (await say('case', 'list', '--json')).json() as { cases: { id: number }[] }
  assert.equal(cases.cases.length, 1, 'one case for all of them')

  await say('case', 'confirm', String(cases.cases[0]?.id))
  await waitFor(async () => (await world.takenDown(made)) === copies * perCopy)

  const [content] = await world.database.owner<{ id: number }[]>`select id from bank_content`
  await say('reverse', '--content', String(content?.id), '--disable')
  await waitFor(async () => (await world.takenDown(made)) === 0)
  await world.settled(copies + others)
  const types = new Set((await world.ledger()).map(({ type }) => type))
  for (const type of ['content.add', 'case.opened', 'case.confirm', 'action.result'])
    assert.ok(types.has(type), `no ${type}`)
})

/** As it is, recompressed, smaller, mirrored, turned, and behind a border: none of them known to anybody yet. */
async function postCopies(world: RealWorld, canary: Uint8Array): Promise<Posted[]> {
  const changed = [
    canary,
    await recompressed(canary, 55),
    await sharp(canary).resize({ width: 320 }).jpeg().toBuffer(),
    await sharp(canary).flop().jpeg().toBuffer(),
    await sharp(canary).rotate(90).jpeg().toBuffer(),
    await sharp(canary)
      .extend({ top: 40, bottom: 40, left: 40, right: 40, background: 'white' })
      .jpeg()
      .toBuffer(),
  ]
  assert.equal(changed.length, copies)
  const made: Posted[] = []
  for (const [n, bytes] of changed.entries()) {
    const account = world.account(n)
    made.push({ did: account.did, post: await postPictures(account, [bytes]) })
  }
  return made
}

const waitMsMax = 60_000

async function waitFor(isSo: () => Promise<boolean>): Promise<void> {
  const untilMs = performance.now() + waitMsMax
  while (!(await isSo())) {
    assert.ok(performance.now() < untilMs, 'it does not come')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
