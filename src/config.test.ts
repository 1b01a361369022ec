import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from './config.ts'
import { UsageError } from './domain/errors.ts'
import { formatVerifierKey } from './ledger/note/key.ts'
import { makeSignerKey } from './ledger/note/signer-key.ts'

const noFiles = (path: string): string => {
  throw new Error(`no ${path}`)
}

function problemsOf(env: Record<string, string>, readFile = noFiles): string[] {
  try {
    parseConfig(env, readFile)
  } catch (error) {
    assert.ok(error instanceof UsageError)
    return error.message.split('\n')
  }
  return []
}

test('without a variable everything has a safe value: it observes, listens on loopback, acts on nothing', () => {
  const config = parseConfig({ PATH: '/bin', HOME: '/root' }, noFiles)
  assert.equal(config.mode, 'observe')
  assert.deepEqual(
    [config.publicListener.host, config.privateListener.host],
    ['127.0.0.1', '127.0.0.1'],
  )
  assert.deepEqual([config.pds, config.firehose, config.labeler], [undefined, undefined, undefined])
  assert.deepEqual(config.limits, {
    takedownsPerDay: 200,
    labelsPerDay: 2000,
    actionsPerContent: 50,
    floodBlobs: 25,
    floodAccounts: 50,
    floodFactor: 5,
  })
})

test('says every problem at once, one a line, and none of them shows a secret', () => {
  const secret = 'hunter2hunter2'
  const problems = problemsOf({
    BLOBWATCH_MODE: 'destroy',
    BLOBWATCH_PUBLIC_PORT: '70000',
    BLOBWATCH_KEEP_DAYS: '1.5',
    BLOBWATCH_PDS_URL: `https://user:${secret}@pds.test`,
    BLOBWATCH_WEBHOOK_SECRET: secret,
    BLOBWATCH_DATA_KEY: secret,
    BLOBWATCH_DATABASE_OWNER_URL: `postgres://owner:${secret}@host/db`,
  })
  assert.equal(problems.length, 7)
  for (const name of [
    'MODE',
    'PUBLIC_PORT',
    'KEEP_DAYS',
    'PDS_URL',
    'WEBHOOK',
    'DATA_KEY',
    'OWNER',
  ])
    assert.equal(problems.filter((line) => line.includes(name)).length, 1, name)
  assert.ok(!problems.join().includes(secret))
})

test('refuses a BLOBWATCH_ variable that it does not know, and says what was meant', () => {
  assert.deepEqual(problemsOf({ BLOBWATCH_MOED: 'act' }), [
    'BLOBWATCH_MOED is not a setting of Blobwatch (did you mean BLOBWATCH_MODE?)',
  ])
  assert.deepEqual(problemsOf({ BLOBWATCH_API_REQUEST_PER_SECOND: '5' }), [
    'BLOBWATCH_API_REQUEST_PER_SECOND is not a setting of Blobwatch (did you mean BLOBWATCH_API_REQUESTS_PER_SECOND?)',
  ])
  assert.equal(problemsOf({ BLOBWATCH_XYZZY_FILE: '/x' }).length, 1)
  assert.deepEqual(problemsOf({ BLOBWATCH_TEST_LONG: '1' }), [])
})

test('reads any setting from a file that _FILE names, and refuses both spellings at once', () => {
  const read = (path: string) => (path === '/key' ? `${'ab'.repeat(32)}\n` : noFiles(path))
  const config = parseConfig({ BLOBWATCH_DATA_KEY_FILE: '/key' }, read)
  assert.equal(config.dataKeyHex, 'ab'.repeat(32))
  const missing = problemsOf({ BLOBWATCH_DATA_KEY_FILE: '/none' }, read)
  assert.deepEqual(missing, ['BLOBWATCH_DATA_KEY_FILE: the file cannot be read'])
  const both = { BLOBWATCH_DATA_KEY: 'cd'.repeat(32), BLOBWATCH_DATA_KEY_FILE: '/key' }
  assert.equal(problemsOf(both, read).length, 1)
})

test('takes the names of the seed documents for the same settings', () => {
  const config = parseConfig(
    { DATABASE_URL: 'postgres://a@b/c', AT_PROTOCOL_PDS_URL: 'https://pds.test/' },
    noFiles,
  )
  assert.equal(config.databaseUrl, 'postgres://a@b/c')
  assert.equal(config.pds?.url, 'https://pds.test')
  assert.deepEqual(config.firehose, {
    url: 'wss://pds.test',
    host: 'https://pds.test',
    start: 'oldest',
  })
  const both = { DATABASE_URL: 'postgres://a@b/c', BLOBWATCH_DATABASE_URL: 'postgres://a@b/d' }
  assert.equal(problemsOf(both).length, 1)
})

test('says that NCMEC gives no API keys', () => {
  const [line, ...others] = problemsOf({ NCMEC_API_KEY: 'k' })
  assert.match(line ?? '', /NCMEC gives no API keys/)
  assert.equal(others.length, 0)
})

test('an address has no path, which would be lost in silence', () => {
  for (const url of ['https://pds.test/xrpc', 'ftp://pds.test', 'pds.test', 'https://'])
    assert.equal(problemsOf({ BLOBWATCH_PDS_URL: url }).length, 1, url)
})

test('what is about the ledger is checked whole: key, policy, record, addresses, name', () => {
  const key = makeSignerKey('log.test/main', 'log', Buffer.alloc(32, 7))
  const witness = makeSignerKey('witness.test', 'witness', Buffer.alloc(32, 8))
  const vkey = formatVerifierKey(witness.verifier)
  const env = {
    BLOBWATCH_LEDGER_KEY: key.secret,
    BLOBWATCH_LEDGER_POLICY: `witness one ${vkey} http://10.0.0.7:7380/w\nquorum one\n`,
    BLOBWATCH_LEDGER_RECORD_PDS_URL: 'https://pds.test',
    BLOBWATCH_LEDGER_RECORD_DID: 'did:plc:aaaaaaaaaaaaaaaaaaaaaaaa',
    BLOBWATCH_LEDGER_RECORD_PASSWORD: 'app-password',
    BLOBWATCH_LEDGER_TSA_URL: 'http://tsa.test/tsr',
  }
  const { ledger } = parseConfig(env, noFiles)
  assert.equal(ledger.policy?.witnesses[0]?.url, 'http://10.0.0.7:7380/w')
  assert.equal(ledger.record?.pdsUrl, 'https://pds.test')
  assert.equal(ledger.tsaUrl, 'http://tsa.test/tsr')
  const wrong: [Record<string, string>, RegExp][] = [
    [{ BLOBWATCH_LOG_NAME: 'two words' }, /^BLOBWATCH_LOG_NAME has no spaces and no plus/],
    [{ BLOBWATCH_LOG_NAME: 'a+b' }, /^BLOBWATCH_LOG_NAME/],
    [{ BLOBWATCH_LEDGER_KEY: witness.secret }, /is the key of a witness/],
    [{ BLOBWATCH_LEDGER_KEY: key.secret.slice(0, -2) }, /^BLOBWATCH_LEDGER_KEY: /],
    [{ BLOBWATCH_LEDGER_SIGNER: 'sign' }, /whole path of a socket/],
    [{ ...env, BLOBWATCH_LEDGER_SIGNER: '/run/sign' }, /belongs to the signer alone/],
    [{ BLOBWATCH_LEDGER_POLICY: 'witness one' }, /^BLOBWATCH_LEDGER_POLICY: line 1/],
    [
      { BLOBWATCH_LEDGER_POLICY: `witness one ${vkey} ftp://host\nquorum one` },
      /witness one is an address/,
    ],
    [{ BLOBWATCH_LEDGER_RECORD_DID: 'did:plc:a' }, /belong together: set all or none/],
    [
      { BLOBWATCH_LEDGER_TSA_URL: 'http://user@tsa.test' },
      /^BLOBWATCH_LEDGER_TSA_URL is an address/,
    ],
  ]
  for (const [settings, problem] of wrong) {
    const problems = problemsOf(settings)
    assert.match(problems.join('\n'), new RegExp(problem, 'm'))
    assert.ok(!problems.join().includes('PRIVATE+KEY+log'))
  }
})

const recipient = `age1${'q'.repeat(58)}`
const serviceRecipient = `age1${'p'.repeat(58)}`
const identity = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`
const diskVault = {
  BLOBWATCH_EVIDENCE_RECIPIENTS: `${recipient}, age1${'z'.repeat(58)}`,
  BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: serviceRecipient,
  BLOBWATCH_EVIDENCE_DIR: '/evidence',
}
const s3Vault = {
  BLOBWATCH_EVIDENCE_RECIPIENTS: recipient,
  BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: serviceRecipient,
  BLOBWATCH_EVIDENCE_S3_URL: 'https://s3.test:9000',
  BLOBWATCH_EVIDENCE_S3_BUCKET: 'evidence',
  BLOBWATCH_EVIDENCE_S3_REGION: 'eu',
  BLOBWATCH_EVIDENCE_S3_KEY_ID: 'id',
  BLOBWATCH_EVIDENCE_S3_SECRET: 'hunter2',
}

test('an evidence vault is a folder or a bucket, with recipients', () => {
  assert.equal(parseConfig({}, noFiles).evidence, undefined)
  const disk = parseConfig(diskVault, noFiles).evidence
  assert.deepEqual(
    [disk?.recipients.length, disk?.serviceKey, disk?.store],
    [2, undefined, { kind: 'disk', dir: '/evidence' }],
  )
  const key = { BLOBWATCH_EVIDENCE_SERVICE_KEY_FILE: '/key' }
  const s3 = parseConfig({ ...s3Vault, ...key }, () => `# created: now\n\n${identity}\n`).evidence
  assert.deepEqual(
    [s3?.serviceKey, s3?.store],
    [
      identity,
      {
        kind: 's3',
        url: 'https://s3.test:9000',
        bucket: 'evidence',
        region: 'eu',
        keyId: 'id',
        secret: 'hunter2',
      },
    ],
  )
})

test('a vault that is set in part is refused whatever is missing, and no problem shows a secret', () => {
  for (const whole of [diskVault, s3Vault]) {
    for (const missing of Object.keys(whole)) {
      const rest = Object.fromEntries(Object.entries(whole).filter(([name]) => name !== missing))
      const [problem, ...more] = problemsOf(rest)
      assert.match(problem ?? '', /set only in part/)
      assert.deepEqual([problem?.includes(missing), more], [true, []])
    }
  }
  const alone = problemsOf({ BLOBWATCH_EVIDENCE_SERVICE_KEY: identity })
  assert.ok(alone.length > 0 && !alone.join().includes(identity))
})

test('recipients, identity, bucket and place of a vault are what they have to be', () => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ BLOBWATCH_EVIDENCE_RECIPIENTS: 'age1short' }, /EVIDENCE_RECIPIENTS has age recipients/],
    [{ BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: identity }, /SERVICE_RECIPIENT is one age recipient/],
    [{ BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: recipient }, /would read sealed copies/],
    [{ BLOBWATCH_EVIDENCE_SERVICE_KEY: 'hunter2' }, /SERVICE_KEY is one age identity/],
    [
      { BLOBWATCH_EVIDENCE_SERVICE_KEY: `${identity}\n${identity}` },
      /SERVICE_KEY is one age identity/,
    ],
    [{ BLOBWATCH_EVIDENCE_S3_BUCKET: '../x' }, /S3_BUCKET is 3 to 63/],
    [{ BLOBWATCH_EVIDENCE_S3_URL: 'https://s3.test/path' }, /S3_URL is an address/],
    [{ BLOBWATCH_EVIDENCE_DIR: '/evidence' }, /are two places/],
  ]
  for (const [change, told] of wrong) {
    const problems = problemsOf({ ...s3Vault, ...change })
    assert.match(problems.join(), told)
    assert.ok(!problems.join().includes('hunter2') && !problems.join().includes(identity))
  }
})

test('plug-ins are whole paths, each once', () => {
  assert.deepEqual(parseConfig({}, noFiles).plugins, [])
  const two = { BLOBWATCH_PLUGINS: '/a/manifest.json, /b/manifest.json,' }
  assert.deepEqual(parseConfig(two, noFiles).plugins, ['/a/manifest.json', '/b/manifest.json'])
  for (const [paths, told] of [
    ['a.json', /whole paths/],
    ['/a.json,/a.json', /twice/],
    [Array.from({ length: 17 }, (_, i) => `/${i}.json`).join(','), /16 paths at most/],
  ] as const)
    assert.match(problemsOf({ BLOBWATCH_PLUGINS: paths }).join(), told)
})
