// A ledger whose heads others hold for real: two witnesses over HTTP, a record on a PDS. Exported, it verifies from files
// and keys alone; set back, it is refused by what the witnesses hold although its signer was set back with it.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { commandLine } from '../commands/run-in-test.ts'
import { createAnchors } from '../ledger/anchor/create-anchors.ts'
import { formatVerifierKey, parseVerifierKey } from '../ledger/note/key.ts'
import { parsePolicy } from '../ledger/note/policy.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import { createHeadKeeper } from '../ledger/signer/head-keeper.ts'
import { headsFolder, openSigner } from '../ledger/signer/open-signer.ts'
import { serveWitness } from '../ledger/witness/witness-server.ts'
import { createWitness } from '../ledger/witness/witness.ts'
import { createCheckpointer } from '../roles/checkpoint.ts'
import { ledgerInTest, logInTest } from '../roles/ledger-in-test.ts'
import { vetLedger } from '../roles/vet-ledger.ts'
import { newestCheckpoint } from '../steps/checkpoints.ts'
import { startNetwork } from '../testing/network.ts'

const run = promisify(execFile)
const verifier = fileURLToPath(new URL('../../verifier/verify.mjs', import.meta.url))
const { signal } = new AbortController()
const quiet = { warn() {}, info() {} }

test('heads that witnesses and a repository hold verify offline, and outlive a signer that was set back', async (t) => {
  const ledger = await ledgerInTest(t)
  const { app: db } = ledger.database
  const vkey = await ledger.signer.verifierKey(logInTest)
  const key = parseVerifierKey(vkey)
  assert.ok(typeof key !== 'string')

  const lines = [`log ${vkey}`]
  for (const name of ['w1', 'w2']) {
    const folder = await mkdtemp(join(tmpdir(), 'blobwatch-witness-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const own = makeSignerKey(`${name}.example`, 'witness')
    const keeper = await createHeadKeeper({ folder })
    const witness = createWitness({ key: own, logs: [key], keeper, nowMs: Date.now })
    const server = await serveWitness({ witness, host: '127.0.0.1', port: 0 })
    t.after(() => server.close())
    lines.push(`witness ${name} ${formatVerifierKey(own.verifier)} ${server.url}/`)
  }
  const policyText = [...lines, 'group both all w1 w2', 'quorum both', ''].join('\n')
  const policy = parsePolicy(policyText)
  assert.ok(!('problems' in policy))

  const network = await startNetwork()
  after(() => network.close())
  const account = await network.createAccount('keeper')
  const { data } = await account.agent.com.atproto.server.createAppPassword({ name: 'ledger' })
  const record = { pdsUrl: network.pdsUrl, did: account.did, password: data.password }
  const anchors = createAnchors(
    { policy, record, tsaUrl: undefined },
    { verifierKey: (origin) => ledger.signer.verifierKey(origin), nowMs: Date.now },
  )
  const options = { db, anchors, policy, clock: Date.now, log: quiet, onSigned: () => undefined }

  await createCheckpointer(await ledger.grow(300), { ...options, signer: ledger.signer }).round(
    signal,
  )
  const signerThen = join(ledger.dataDir, 'heads-then')
  await cp(headsFolder(ledger), signerThen, { recursive: true })
  await createCheckpointer(await ledger.grow(20), { ...options, signer: ledger.signer }).round(
    signal,
  )
  const newest = await newestCheckpoint(db, { anchored: true })
  assert.deepEqual([newest?.size, newest?.witnesses], [320, 2])
  const kept = await db<
    { kind: string }[]
  >`select kind from ledger_anchor where size = 320 order by kind`
  assert.deepEqual(
    kept.map(({ kind }) => kind),
    ['record', 'witness', 'witness'],
  )

  // An auditor: the bundle, the policy, one file.
  const blobwatch = await commandLine(ledger.database)
  const bundle = join(blobwatch.dir, 'bundle')
  const exported = await blobwatch(['ledger', 'export', bundle])
  assert.equal(exported.code, 0, exported.err)
  const policyFile = join(blobwatch.dir, 'policy.txt')
  await writeFile(policyFile, policyText)
  const { stdout } = await run(process.execPath, [
    verifier,
    bundle,
    '--policy',
    policyFile,
    '--max-age',
    '1h',
  ])
  assert.match(stdout, /^TRUE/)

  // Database and signer both set back to one moment: nobody here knows better any more, but the witnesses do.
  await ledger.setBack(300)
  await rm(headsFolder(ledger), { recursive: true })
  await cp(signerThen, headsFolder(ledger), { recursive: true })
  const signer = await openSigner(
    { dataDir: ledger.dataDir, signerSocket: undefined, signerKey: undefined },
    logInTest,
  )
  assert.equal((await signer.head(logInTest))?.size, 300)
  const vet = async () =>
    vetLedger(await ledger.lead(), { db, signer, anchors, signal, log: quiet })
  await assert.rejects(vet(), /has 300 entries .* holds 320/)
})
