import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { createLog, logOutcome, parseLogLevel } from './log.ts'
import type { LogLevel } from './log.ts'
import { logFieldRules } from './log-fields.ts'
import { scrub, scrubbedCharsMax } from './scrub.ts'

const forbidden = [
  'did:plc:ewvi7nxzyoun6zhxrhs64oiz',
  'did:web:alice.example',
  'alice@example.com',
  'at://did:plc:ewvi7nxzyoun6zhxrhs64oiz/app.bsky.feed.post/3k',
  'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
  '192.0.2.17',
  '2001:db8::1',
  '::1',
  'fe80:0:0:0:1:2:3:4',
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  'd41d8cd98f00b204e9800998ecf8427e',
  'postgres://owner:hunter2@db.example/blobwatch',
  'https://pds.example/xrpc/com.atproto.sync.getBlob?did=did:plc:x',
]

test('a full disk under the log ends nothing, and its lines come when there is room again', (t) => {
  const dir = fs.mkdtempSync(join(tmpdir(), 'blobwatch-log-'))
  const fd = fs.openSync(join(dir, 'log'), 'w')
  t.after(() => {
    fs.closeSync(fd)
    fs.rmSync(dir, { recursive: true })
  })
  const log = createLog({ level: 'info', fd })
  const full = t.mock.method(fs, 'writeSync', () => {
    throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  })
  log.info('first')
  log.info('second')
  full.mock.restore()
  log.info('third')
  const lines = fs.readFileSync(join(dir, 'log'), 'utf8').trim().split('\n')
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { msg: string }).msg),
    ['first', 'second', 'third'],
  )
  t.mock.method(fs, 'writeSync', () => {
    throw Object.assign(new Error('nobody reads'), { code: 'EPIPE' })
  })
  assert.throws(() => log.info('fourth'), /nobody reads/)
})

describe('a log line', () => {
  test('is one JSON object with a time, a level by name and the outcome; no host name', () => {
    const { log, lines } = capture('info')
    logOutcome(log, 'action-ended', { kind: 'takedown-blob', caseNumber: 12, ms: 31.5 })
    const [line] = lines()
    assert.deepEqual(Object.keys(line ?? {}).toSorted(), [
      'caseNumber',
      'kind',
      'level',
      'ms',
      'msg',
      'name',
      'outcome',
      'pid',
      'time',
      'version',
    ])
    assert.equal(line?.['level'], 'info')
    assert.equal(line?.['outcome'], 'action-ended')
  })

  test('leaves out what is not on the list and what does not keep its rule, and says how many', () => {
    const { log, lines } = capture('info')
    const fields = {
      did: 'did:plc:a',
      blobCid: 'bafkreia',
      kind: 'two words',
      ms: '5',
      caseNumber: 7,
    }
    log.info('x', fields as never)
    log.info('y', { caseNumber: 7, reason: undefined } as never)
    assert.equal(lines()[0]?.['dropped'], 4)
    assert.equal(lines()[0]?.['caseNumber'], 7)
    assert.equal(lines()[1]?.['dropped'], undefined)
  })

  test('never carries a personal or known-bad value, by any field, message or error', () => {
    const anywhere = fc.constantFrom(...forbidden)
    const field = fc.constantFrom(
      ...Object.keys(logFieldRules),
      'did',
      'err',
      'toString',
      '__proto__',
    )
    const around = fc.constantFrom('', 'failed for ', '(', '"', 'x=')
    fc.assert(
      fc.property(anywhere, field, around, (value, name, before) => {
        const { log, text } = capture('debug')
        const held = { [name]: `${before}${value}` } as never
        log.warn(`${before}${value}`, held)
        log.with(held).info('x', { error: new Error(`${before}${value} said no`) })
        assert.ok(!text().includes(value), text())
      }),
      { numRuns: 500 },
    )
  })

  test('keeps hosts by name and ordinary errors readable', () => {
    const { log, lines } = capture('info')
    const error = new TypeError('connect ECONNREFUSED 127.0.0.1:3000\n  at foo')
    log.error('failed', { host: 'PDS.example.com:443', error })
    log.error('failed', { host: '10.0.0.1' })
    assert.equal(lines()[0]?.['host'], 'pds.example.com:443')
    assert.equal(lines()[0]?.['error'], 'TypeError: connect ECONNREFUSED [ip]:3000 at foo')
    assert.equal(lines()[1]?.['host'], '[address]')
  })

  test('appears from its level up', () => {
    const { log, lines } = capture('warn')
    for (const level of ['debug', 'info', 'warn', 'error'] as const) log[level]('x')
    assert.deepEqual(
      lines().map(({ level }) => level),
      ['warn', 'error'],
    )
  })
})

test('scrubbing bounds any text to one line', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 3000, unit: 'binary' }), (text) => {
      const clean = scrub(text)
      assert.ok(clean.length <= scrubbedCharsMax + 1)
      assert.doesNotMatch(clean, /[\n\r]/)
    }),
  )
  const started = performance.now()
  for (const part of ['a@', 'a:', '1.', 'did:', '://', 'a.a-']) scrub(part.repeat(500_000))
  assert.ok(performance.now() - started < 500)
})

test('understands the level names of HMA in any case and refuses others', () => {
  const levels = ['DEBUG', 'INFO', 'WARNING', 'ERROR', 'critical', 'Warn'].map(parseLogLevel)
  assert.deepEqual(levels, ['debug', 'info', 'warn', 'error', 'error', 'warn'])
  for (const text of ['', 'loud', 'constructor']) {
    assert.throws(() => parseLogLevel(text), { name: 'UsageError' })
  }
})

function capture(level: LogLevel): {
  log: ReturnType<typeof createLog>
  text: () => string
  lines: () => Record<string, unknown>[]
} {
  const written: string[] = []
  const destination = { write: (line: string) => void written.push(line) }
  const log = createLog({ level, version: '1.2.3', destination })
  const text = (): string => written.join('')
  return {
    log,
    text,
    lines: () => written.map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}
