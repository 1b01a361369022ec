import assert from 'node:assert/strict'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { createLabelSigner } from '../labeler/sign-label.ts'
import { testDatabase } from '../testing/database.ts'
import { startFakeRelay } from '../testing/fake-relay.ts'
import { commandLine } from './run-in-test.ts'
import { enter, testDataKey } from './seed-in-test.ts'

const database = await testDatabase()
const blobwatch = await commandLine(database)
const alone = await commandLine()

type Report = {
  checks: { id: string; level: string; line: string; fix?: string }[]
  summary: { fail: number; unchecked: number }
}

const labelKey = '77'.repeat(32)
const labelerDid = `did:plc:${'d'.repeat(24)}`
const signer = await createLabelSigner({ did: labelerDid, keyHex: labelKey })
const host = createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  const isAdmin = request.headers.authorization === `Basic ${btoa('admin:right')}`
  if (request.url?.includes('getSubjectStatus')) {
    response.writeHead(isAdmin ? 400 : 401)
    response.end('{"error":"NotFound"}')
  } else if (request.url?.includes('describeServer')) response.end('{"inviteCodeRequired":false}')
  else if (request.url === `/${labelerDid}`) {
    response.end(
      JSON.stringify({
        verificationMethod: [
          { id: '#atproto_label', publicKeyMultibase: signer.keyDid.slice('did:key:'.length) },
        ],
        service: [{ id: '#atproto_labeler', serviceEndpoint: 'https://labels.test' }],
      }),
    )
  } else response.end('{}')
})
await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve))
const relay = await startFakeRelay()
after(async () => {
  host.close()
  await relay[Symbol.asyncDispose]()
})
const url = `http://127.0.0.1:${(host.address() as AddressInfo).port}`
const online = {
  BLOBWATCH_PDS_URL: url,
  BLOBWATCH_PDS_ADMIN_PASSWORD: 'right',
  BLOBWATCH_FIREHOSE_URL: relay.url,
  BLOBWATCH_PLC_URL: url,
  BLOBWATCH_LABELER_DID: labelerDid,
  BLOBWATCH_LABELER_KEY: labelKey,
  BLOBWATCH_PUBLIC_URL: 'https://labels.test',
  BLOBWATCH_DATA_KEY: testDataKey,
}

function levels(report: Report): Record<string, string> {
  return Object.fromEntries(report.checks.map((check) => [check.id, check.level]))
}

describe('doctor', () => {
  test('finds nothing wrong with a working deployment, and tells of open registration', async () => {
    await blobwatch(['migrate'])
    await blobwatch(['bank', 'create', 'SPAM'])
    await enter(database)
    const { code, out, json } = await blobwatch(['doctor', '--json'], { env: online })
    const report = json() as Report
    const found = levels(report)
    for (const id of [
      'pds-reachable',
      'pds-admin',
      'firehose-reachable',
      'plc-reachable',
      'labeler-document',
      'decoder',
      'clock',
      'database-session',
      'database-roles',
      'database-clock',
      'migrations',
      'partitions',
      'ledger-tail',
      'banks',
    ]) {
      assert.equal(
        found[id],
        'ok',
        `${id}: ${report.checks.find((check) => check.id === id)?.line}`,
      )
    }
    assert.equal(found['pds-registration'], 'warn')
    // The test server does not wait for the disk, which is just what doctor is to find.
    assert.equal(found['database-durable'], 'FAIL')
    assert.equal(code, 1)
    assert.equal(report.summary.fail, 1)
    for (const secret of ['right', labelKey, testDataKey]) assert.ok(!out.includes(secret))
  })

  test('prints groups, the fix under each problem, and a summary', async () => {
    const { out } = await blobwatch(['doctor', '--only', 'safety'])
    assert.match(out, /\nsafety\n/)
    assert.match(out, /note +mode +mode observe: nothing is done\n +→ /)
    assert.match(out, /\d+ ok, \d+ notes, 0 warnings, 0 failed/)
  })

  test('tells how far this machine’s clock is from the database’s', async (t) => {
    for (const [aheadMs, level] of [
      [-7_500, 'warn'],
      [7_500, 'warn'],
      [120_500, 'FAIL'],
    ] as const) {
      t.mock.timers.enable({ apis: ['Date'], now: Date.now() + aheadMs })
      const { json } = await blobwatch(['doctor', '--only', 'database', '--json'])
      t.mock.timers.reset()
      const found = (json() as Report).checks.find(({ id }) => id === 'database-clock')
      assert.deepEqual([found?.level, found?.fix], [level, 'timedatectl set-ntp true'])
      assert.match(found?.line ?? '', /^this machine's clock is \d+ s away from the database's$/)
    }
  })

  test('a wrong admin password, a dead firehose and another label key fail with their fix', async () => {
    const env = {
      ...online,
      BLOBWATCH_PDS_ADMIN_PASSWORD: 'wrong',
      BLOBWATCH_FIREHOSE_URL: 'ws://127.0.0.1:1',
      BLOBWATCH_LABELER_KEY: '55'.repeat(32),
    }
    for (const [group, id] of [
      ['PDS', 'pds-admin'],
      ['network', 'firehose-reachable'],
      ['labeler', 'labeler-document'],
    ] as const) {
      const { code, json } = await alone(['doctor', '--only', group, '--json'], { env })
      const check = (json() as Report).checks.find((one) => one.id === id)
      assert.equal(check?.level, 'FAIL')
      assert.notEqual(check?.fix, undefined)
      assert.equal(code, 1)
    }
  })

  test('a secret file that others can read fails', async () => {
    const file = join(alone.dir, 'password')
    await writeFile(file, 'right')
    await chmod(file, 0o644)
    const { BLOBWATCH_PDS_ADMIN_PASSWORD: _, ...env } = online
    const { json } = await alone(['doctor', '--offline', '--only', 'machine', '--json'], {
      env: { ...env, BLOBWATCH_PDS_ADMIN_PASSWORD_FILE: file },
    })
    assert.equal(levels(json() as Report)['secret-files'], 'FAIL')
  })

  test('is exit code 2 when something could not be checked and nothing failed', async () => {
    const env = { BLOBWATCH_PLC_URL: 'http://127.0.0.1:1' }
    const { code, json } = await alone(['doctor', '--only', 'machine', '--json'], { env })
    assert.equal((json() as Report).summary.unchecked, 1)
    assert.equal(code, 2)
  })

  test('makes no database, and says that a database cannot be opened', async () => {
    const none = await alone(['doctor', '--offline', '--only', 'database', '--json'])
    assert.equal(levels(none.json() as Report)['database-reachable'], 'note')
    const env = { BLOBWATCH_DATABASE_URL: 'postgres://127.0.0.1:1/nothing' }
    const gone = await alone(['doctor', '--offline', '--only', 'database', '--json'], { env })
    assert.equal(levels(gone.json() as Report)['database-reachable'], 'FAIL')
    assert.equal(gone.code, 1)
  })

  test('shows every mistake in the settings, and refuses an unknown group', async () => {
    const { code, out } = await alone(['doctor'], {
      env: { BLOBWATCH_MODE: 'kill', BLOBWATCH_MOOD: 'x' },
    })
    assert.equal(code, 1)
    assert.match(out, /BLOBWATCH_MODE is one of/)
    assert.match(out, /BLOBWATCH_MOOD is not a setting/)
    assert.equal((await alone(['doctor', '--only', 'gate'])).code, 2)
  })
})
