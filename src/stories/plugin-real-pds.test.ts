// A signal type of somebody else beside a real PDS: named in the settings, banked by value and by file, matched in what is
// posted, held for a person and confirmed; then the service starts without it.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { commandLine } from '../commands/run-in-test.ts'
import { oddFolder, oddValue } from '../plugins/odd-in-test.ts'
import { cleanPicture } from '../testing/canary.ts'
import { postPictures } from '../testing/network.ts'
import { startRealWorld } from '../testing/real-service.ts'

const manifests = await oddFolder(after)

test('what lies near a banked value of a plug-in waits for a person, and without the plug-in the service goes on', async () => {
  await using world = await startRealWorld()
  const settings = { BLOBWATCH_PLUGINS: await manifests.write('good') }
  const service = await world.start(settings)
  const run = await commandLine(world.database)
  const say = async (...words: string[]) => {
    const ran = await run(words, { env: settings })
    assert.equal(ran.code, 0, `${words.join(' ')}\n${ran.out}\n${ran.err}`)
    return ran
  }
  const [known, unknown, late, later] = await Promise.all(
    [1, 2, 3, 4].map((n) => cleanPicture(n, { width: 320, height: 240 })),
  )
  assert.ok(known && unknown && late && later)
  await say('bank', 'create', 'BAD', '--mode', 'act', '--perceptual', 'act')
  await say('bank', 'add', 'BAD', '--signal', `odd=${oddValue(known, 3)}`)
  const account = world.account(0)
  const post = await postPictures(account, [known])
  await postPictures(world.account(1), [unknown])
  await postPictures(world.account(2), [late])
  await Promise.race([world.settled(3), service.failed])
  assert.equal(await world.count("blob where verdict = 'clear'"), 2)
  assert.equal(await world.count("match where type = 'odd' and distance = 3"), 1)
  assert.equal(await world.count("action where state = 'held'"), 2)
  assert.equal(await world.takenDown([{ did: account.did, post }]), 0)

  const file = join(run.dir, 'late.jpg')
  await writeFile(file, late)
  const added = (await say('bank', 'add', 'BAD', file, '--json')).json() as {
    added: { types: string[] }[]
    preview: { total: { blobs: number } }
  }
  assert.ok(added.added[0]?.types.includes('odd'))
  assert.equal(added.preview.total.blobs, 1)
  await world.settled(3)
  assert.equal(await world.count("match where type = 'odd' and distance = 0"), 1)

  const cases = (await say('case', 'list', '--json')).json() as { cases: { id: number }[] }
  const first = Math.min(...cases.cases.map(({ id }) => id))
  assert.match((await say('explain', '--case', String(first))).out, /odd .* 3 .*by its plug-in/)
  await say('case', 'confirm', String(first))
  await world.settled(3)
  assert.equal(await world.takenDown([{ did: account.did, post }]), 2)

  await service[Symbol.asyncDispose]()
  const without = await world.start()
  await postPictures(world.account(1), [later])
  await Promise.race([world.settled(4), without.failed])
  assert.equal(await world.count("blob where verdict = 'clear'"), 2)
  const { out } = await run(['doctor', '--offline', '--only', 'banks'])
  assert.match(out, /2 signals of odd in banks and not compared/)
  await world.ledger()
})
