import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { makeVerifierKey } from '../ledger/note/key.ts'
import { createActionBook, tooScattered } from './action-book.ts'
import { createSeenFacts } from './seen-facts.ts'
import { makeTimeStamp } from './time-stamp-in-test.ts'
import { parseTimeStamp } from './time-stamp.ts'
import { keysFor, makeTrust, quorumTime } from './trust.ts'

const seed = 20261129
const digest = (text: string) => createHash('sha256').update(text).digest()

/** By `openssl ts -reply` of OpenSSL 3.0 over the text "checkpoint": a response, and its token alone. */
const openssl = {
  response:
    'MIIB0DADAgEAMIIBxwYJKoZIhvcNAQcCoIIBuDCCAbQCAQMxDzANBglghkgBZQMEAgEFADBnBgsqhkiG9w0BCRABBKBYBFYwVAIBAQYDKgMEMDEwDQYJYIZIAWUDBAIBBQAEIEcyCYf5pJ1bABGblg8kepVnc/V1Q5gri/y22luzr9nvAgECGA8yMDI2MTEyOTA2MDUwMVowAwIBATGCATMwggEvAgEBMCswEzERMA8GA1UEAwwIVGVzdCBUU0ECFEMLlBRJ0EARZRiCoOInoHz/HKKCMA0GCWCGSAFlAwQCAQUAoIGYMBoGCSqGSIb3DQEJAzENBgsqhkiG9w0BCRABBDAcBgkqhkiG9w0BCQUxDxcNMjYxMTI5MDYwNTAxWjArBgsqhkiG9w0BCRACDDEcMBowGDAWBBQ+GNb2y0rMYZkJ2Qzwfdmz2JKoHjAvBgkqhkiG9w0BCQQxIgQgqFu7cwjdqrGQ8Cv4t5ME35dNcdtfJPvRYAkl7z4MrfEwCgYIKoZIzj0EAwIERzBFAiEA1fRqxqJyMDk7XIOTEiSQOorqTxxthjAzlR4Tnq/Sm44CIFdlPXKK2p5D8QPNfqE//fP5yodJhpsSId6+bhDElMl8',
  token:
    'MIIByAYJKoZIhvcNAQcCoIIBuTCCAbUCAQMxDzANBglghkgBZQMEAgEFADBnBgsqhkiG9w0BCRABBKBYBFYwVAIBAQYDKgMEMDEwDQYJYIZIAWUDBAIBBQAEIEcyCYf5pJ1bABGblg8kepVnc/V1Q5gri/y22luzr9nvAgEDGA8yMDI2MTEyOTA2MDUwMVowAwIBATGCATQwggEwAgEBMCswEzERMA8GA1UEAwwIVGVzdCBUU0ECFEMLlBRJ0EARZRiCoOInoHz/HKKCMA0GCWCGSAFlAwQCAQUAoIGYMBoGCSqGSIb3DQEJAzENBgsqhkiG9w0BCRABBDAcBgkqhkiG9w0BCQUxDxcNMjYxMTI5MDYwNTAxWjArBgsqhkiG9w0BCRACDDEcMBowGDAWBBQ+GNb2y0rMYZkJ2Qzwfdmz2JKoHjAvBgkqhkiG9w0BCQQxIgQgTjuz0aSkRSIC1xmsswMcCpL3o/E4t0e12/huDwcod98wCgYIKoZIzj0EAwIESDBGAiEA7ASPQ5AxGp/EzEtZaRBHvAPaDcXEAWv62l0bTrJCD04CIQDZlGeCRxunEpopm947MxE5SDF/fpg6qLvqlblgtwv55w==',
}

test('reads imprint and time of time stamps that openssl made, and of ours', () => {
  for (const [kind, text] of Object.entries(openssl)) {
    const stamp = parseTimeStamp(new Uint8Array(Buffer.from(text, 'base64')))
    assert.deepEqual(Buffer.from(stamp?.imprint ?? []), digest('checkpoint'), kind)
    assert.match(stamp?.genTime ?? '', /^20261129\d{6}Z$/)
    assert.equal(stamp?.isResponse, kind === 'response')
  }
  const ours = parseTimeStamp(makeTimeStamp(digest('x'), '20261121032000Z'))
  assert.equal(ours?.genTime, '20261121032000Z')
})

test('a time stamp that is cut off or rubbish is none, and never an exception', () => {
  const whole = new Uint8Array(Buffer.from(openssl.response, 'base64'))
  for (let end = 0; end < whole.length; end += 1)
    assert.equal(parseTimeStamp(whole.subarray(0, end)), undefined)
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(whole.length - 1), fc.nat(255), (rubbish, at, byte) => {
      parseTimeStamp(rubbish)
      parseTimeStamp(whole.with(at, byte))
    }),
    { numRuns: 2000, seed },
  )
})

test('a key of a fact that was there before is always seen, and hardly ever another', () => {
  const count = 200_000
  const seen = createSeenFacts(count, 7)
  const keyOf = (i: number) => Buffer.from(createHash('sha256').update(`${i}`).digest('hex'))
  let alike = 0
  for (let i = 0; i < count; i += 1) if (seen.add(keyOf(i), 0)) alike += 1
  assert.ok(alike <= 2, `${alike}`)
  for (let i = 0; i < count; i += 97) assert.ok(seen.add(keyOf(i), 0))
})

test('an action has one intent and then at most one result, or a result alone where it was stopped, as sets would say', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9000), fc.boolean())), (steps) => {
      const book = createActionBook()
      const [intents, results] = [new Set<number>(), new Set<number>()]
      for (const [isIntent, action, stopped] of steps) {
        const said = isIntent ? book.intent(action) : book.result(action, stopped)
        const isNew = !results.has(action)
        const holds = isIntent
          ? !intents.has(action) && isNew
          : (intents.has(action) || stopped) && isNew
        assert.equal(said === undefined, holds)
        if (holds) (isIntent ? intents : results).add(action)
      }
      assert.equal(book.open(), [...intents].filter((one) => !results.has(one)).length)
    }),
    { numRuns: 300, seed },
  )
  const book = createActionBook()
  for (let i = 0; i < 65_536; i += 1) assert.equal(book.intent(i * 5000), undefined)
  assert.equal(book.intent(2 ** 50), tooScattered)
})

test('the quorum’s time is the latest from which enough cosigned: one fast clock does not move it', () => {
  const keyOf = (name: string, byte: number) =>
    makeVerifierKey(name, 'witness', new Uint8Array(32).fill(byte))
  const [a, b, c] = [keyOf('a', 1), keyOf('b', 2), keyOf('c', 3)]
  const trust = {
    keys: [a, b, c],
    quorum: '2 of a, b, c',
    isQuorum: (by: ReadonlySet<unknown>) => by.size >= 2,
  }
  const by = [
    { key: a, atSeconds: 100 },
    { key: b, atSeconds: 9_999 },
    { key: c, atSeconds: 200 },
  ]
  assert.equal(quorumTime(trust, by), 200)
  assert.equal(quorumTime(trust, by.slice(0, 1)), undefined)
})

test('a log’s key counts for the logs recovered from it and for no other', () => {
  const trust = makeTrust({
    keys: ['PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'],
  })
  assert.ok(typeof trust !== 'string')
  const names = (origin: string) => keysFor(trust, origin).map(({ name }) => name)
  assert.deepEqual(names('PeterNeumann/recovered-2'), ['PeterNeumann', 'PeterNeumann/recovered-2'])
  assert.deepEqual(names('Peter/recovered-2'), ['PeterNeumann'])
  assert.deepEqual(names('PeterNeumann/other-2'), ['PeterNeumann'])
})
