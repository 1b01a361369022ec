import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import canonicalize from 'canonicalize'
import { fromBase64, fromHex, toBase64, toHex, utf8 } from '../bytes.ts'
import * as inNode from '../platform.ts'
import * as inPage from '../platform-web.ts'
import { formatCheckpoint, openCheckpoint, parseCheckpoint, signedByLog } from './checkpoint.ts'
import { formatVerifierKey, makeVerifierKey, parseVerifierKey } from './key.ts'
import type { VerifierKey } from './key.ts'
import { formatNote, formatSignature, parseNote, parseSignature, verifyNote } from './note.ts'
import { parsePolicy } from './policy.ts'
import { makeSignerKey, parseSignerKey } from './signer-key.ts'
import { formatTlogProof, parseTlogProof } from './tlog-proof.ts'

const hex = (text: string) => fromHex(text) as Uint8Array
const published = (name: string) =>
  JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as unknown

// From golang.org/x/mod/sumdb/note: a key, what it signs, and its signature.
const peterKey = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
const peterSecret = 'PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz'
const peterText =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"

const peterSignature =
  '\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n'

const keyOf = (text: string): VerifierKey => {
  const key = parseVerifierKey(text)
  if (typeof key === 'string') throw new TypeError(key)
  return key
}

describe('primitives', () => {
  test('Ed25519 in Node and in the page give what RFC 8032 publishes, and refuse what is changed', () => {
    const { cases } = published('ed25519') as {
      cases: { seed: string; public: string; message: string; signature: string }[]
    }
    assert.equal(cases.length, 3)
    for (const one of cases) {
      const input = {
        publicKey: hex(one.public),
        message: hex(one.message),
        signature: hex(one.signature),
      }
      const made = makeSignerKey('vector.example', 'log', hex(one.seed))
      assert.equal(toHex(made.verifier.publicKey), one.public)
      for (const platform of [inNode, inPage]) {
        assert.ok(platform.verifyEd25519(input))
        const signature = Uint8Array.from(input.signature)
        signature[3]! ^= 1
        assert.ok(!platform.verifyEd25519({ ...input, signature }))
        assert.ok(!platform.verifyEd25519({ ...input, message: utf8('another') }))
        assert.ok(!platform.verifyEd25519({ ...input, signature: signature.subarray(1) }))
        assert.ok(!platform.verifyEd25519({ ...input, publicKey: new Uint8Array(31) }))
      }
    }
  })

  test('SHA-256 in the page is the one in Node', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.equal(toHex(inPage.sha256(bytes)), toHex(inNode.sha256(bytes)))
      }),
    )
  })

  test('canonical JSON is the published one, byte for byte', () => {
    const { cases } = published('canonical-json') as {
      cases: { name: string; input: string; outputHex: string }[]
    }
    assert.equal(cases.length, 6)
    for (const one of cases) {
      const output = utf8(canonicalize(JSON.parse(one.input)) ?? '')
      assert.equal(toHex(output), one.outputHex, one.name)
    }
  })

  test('base64 has one text for each bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        assert.deepEqual(fromBase64(toBase64(bytes)), bytes)
      }),
    )
    for (const text of ['YQ', 'YQ=', 'YR==', 'Y Q==', 'YQ==\n', '_-==', '====', 'YQ===='])
      assert.equal(fromBase64(text), undefined, text)
  })
})

describe('a signed note', () => {
  test('made with a published key has the published signature', () => {
    const signer = parseSignerKey(peterSecret)
    assert.ok(typeof signer !== 'string')
    const note = { text: peterText, signatures: [signer.sign(peterText, 0)] }
    assert.equal(formatNote(note), `${peterText}\n${peterSignature}`)
    const parsed = parseNote(formatNote(note))
    assert.ok(parsed)
    assert.equal(verifyNote(parsed, [keyOf(peterKey)]).kind, 'verified')
  })

  test('no cut or changed key is taken for one', () => {
    assert.equal(formatVerifierKey(keyOf(peterKey)), peterKey)
    for (let from = 0; from < peterKey.length; from += 1)
      for (let to = from + 1; to <= peterKey.length; to += 1)
        if (from > 0 || to < peterKey.length)
          assert.equal(typeof parseVerifierKey(peterKey.slice(from, to)), 'string')
    assert.equal(
      parseVerifierKey('PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'),
      'this type of key (101) is not known here',
    )
    assert.equal(
      typeof parseVerifierKey(
        'PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==',
      ),
      'string',
    )
    assert.equal(typeof parseSignerKey(peterKey), 'string')
    assert.equal(typeof parseSignerKey(peterSecret.replace('FAL', 'FAM')), 'string')
  })

  test('is read in one way only', () => {
    const signer = makeSignerKey('log.example', 'log')
    const whole = formatNote({ text: 'a\n\nb\n', signatures: [signer.sign('a\n\nb\n', 0)] })
    assert.equal(parseNote(whole)?.text, 'a\n\nb\n')
    const bad = [
      whole.slice(0, -1),
      whole.replace('\n\n\u2014', '\n\u2014'),
      whole.replace('a\n', 'a\r\n'),
      whole.replace('a\n', 'a\u0000\n'),
      whole.replace('\u2014', '-'),
      `${whole}\n`,
      'a\n\n',
      '',
    ]
    for (const text of bad) assert.equal(parseNote(text), undefined, JSON.stringify(text))
    assert.equal(parseNote(Uint8Array.of(0xff, 0x0a, 0x0a)), undefined)
  })

  test('any byte changed is no longer verified', () => {
    const signer = makeSignerKey('log.example', 'log', new Uint8Array(32))
    const text = formatCheckpoint({
      origin: 'log.example',
      size: 7,
      root: inNode.sha256(utf8('x')),
    })
    const whole = utf8(formatNote({ text, signatures: [signer.sign(text, 0)] }))
    for (let at = 0; at < whole.length; at += 1) {
      const changed = Uint8Array.from(whole)
      changed[at]! ^= 1
      const opened = openCheckpoint(changed, [signer.verifier])
      assert.ok(typeof opened === 'string' || opened.verdict.kind !== 'verified', `byte ${at}`)
    }
  })

  test('unknown signatures are passed over, a wrong one of a known key spoils it, sixteen are read', () => {
    const signer = makeSignerKey('log.example', 'log')
    const others = Array.from({ length: 16 }, (_, i) => makeSignerKey(`w${i}.example`, 'witness'))
    const text = 'hello\n'
    const signatures = [signer, ...others].map((one) => one.sign(text, 1_700_000_000))
    const note = parseNote(formatNote({ text, signatures }))
    assert.ok(note)
    assert.equal(verifyNote(note, [signer.verifier]).kind, 'verified')
    const all = verifyNote(note, [signer.verifier, ...others.map((one) => one.verifier)])
    assert.ok(all.kind === 'verified')
    assert.equal(all.by.length, 17)
    assert.equal(all.by.at(-1)?.atSeconds, 1_700_000_000)
    assert.equal(verifyNote(note, []).kind, 'unsigned')
    const wrong = { ...note, text: 'other\n' }
    assert.deepEqual(verifyNote(wrong, [signer.verifier]), { kind: 'wrong', name: 'log.example' })
  })

  test('a post-quantum or other long signature of an unknown key does not disturb', () => {
    const line = formatSignature({ name: 'pq.example', keyId: 7, signature: new Uint8Array(2_428) })
    assert.equal(parseSignature(line)?.signature.length, 2_428)
  })
})

describe('a checkpoint', () => {
  test('has three lines, and a text that is no checkpoint is none', () => {
    const root = inNode.sha256(utf8(''))
    const text = formatCheckpoint({ origin: 'log.example/1', size: 0, root })
    assert.deepEqual(parseCheckpoint(text), {
      origin: 'log.example/1',
      size: 0,
      root,
      extensions: [],
    })
    assert.deepEqual(parseCheckpoint(`${text}more\n`)?.extensions, ['more'])
    const bad = [
      text.slice(0, -1),
      text.replace('\n0\n', '\n00\n'),
      text.replace('\n0\n', '\n-1\n'),
      text.replace('\n0\n', '\n1e3\n'),
      text.replace('\n0\n', '\n9007199254740993\n'),
      `\n${text.slice(text.indexOf('\n') + 1)}`,
      text.replace('47DE', '47D'),
      `${text}\n`,
      'Log\n123\nYmFuYW5hcw==\n',
    ]
    for (const one of bad) assert.equal(parseCheckpoint(one), undefined, JSON.stringify(one))
  })

  test('is signed by the log only if a log key of that name signed', () => {
    const log = makeSignerKey('log.example', 'log')
    const impostor = makeSignerKey('other.example', 'log')
    const witness = makeSignerKey('log.example', 'witness')
    const text = formatCheckpoint({ origin: 'log.example', size: 1, root: inNode.sha256(utf8('')) })
    const keys = [log, impostor, witness].map((one) => one.verifier)
    const by = (...signers: (typeof log)[]) => {
      const opened = openCheckpoint(
        formatNote({ text, signatures: signers.map((one) => one.sign(text, 5)) }),
        keys,
      )
      return typeof opened !== 'string' && signedByLog(opened)
    }
    assert.ok(by(log))
    assert.ok(by(witness, log))
    assert.ok(!by(impostor))
    assert.ok(!by(witness))
  })

  test('the example of the C2SP cosignature specification has the key ids that it shows', () => {
    const lines = [
      '\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=',
      '\u2014 witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==',
    ]
    const [log, witness] = lines.map((line) => parseSignature(line))
    assert.equal(log?.keyId, 0x033de0ae)
    // A published cosignature carries its time first: 1679315147, as its signed message shows.
    assert.equal(new DataView(witness!.signature.slice().buffer).getBigUint64(0), 1_679_315_147n)
    // The Go checksum database's own key and a checkpoint of it.
    const sum = keyOf('sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8')
    assert.equal(sum.keyId, 0x033de0ae)
  })
})

describe('a proof file', () => {
  test('gives back what it was made of', () => {
    const proof = {
      extra: utf8('more'),
      index: 12,
      proof: [inNode.sha256(utf8('a')), inNode.sha256(utf8('b'))],
      note: 'log.example\n13\nAAAA\n\n\u2014 x y\n',
    }
    assert.deepEqual(parseTlogProof(formatTlogProof(proof)), proof)
    const { extra: _, ...bare } = proof
    assert.deepEqual(parseTlogProof(formatTlogProof(bare)), bare)
    const text = formatTlogProof(proof)
    const bad: [string, RegExp][] = [
      [text.replace('@v1', '@v9'), /first line/],
      [text.replace('index 12', 'index 012'), /index line/],
      [text.replace('extra bW9y', 'extra bW9'), /base64/],
      [text.slice(0, 60), /ends before/],
      [text.replace('\nypeB', '\nype'), /not a hash/],
    ]
    for (const [one, words] of bad) {
      const problem = parseTlogProof(one)
      assert.ok(typeof problem === 'string')
      assert.match(problem, words)
    }
  })
})

describe('a policy', () => {
  const key = (type: 'log' | 'witness', name: string) =>
    formatVerifierKey(makeVerifierKey(name, type, inNode.sha256(utf8(name))))
  const text = `# two of three, and one of another house
log ${key('log', 'log.example')} https://log.example
witness X1 ${key('witness', 'x1')}
witness X2\t${key('witness', 'x2')} http://127.0.0.1:7000/
witness X3 ${key('witness', 'x3')}
group X-witnesses 2 X1 X2 X3
witness Y1 ${key('witness', 'y1')}
group X-and-Y all X-witnesses Y1
quorum X-and-Y
`

  test('asks for as many witnesses as its groups say', () => {
    const policy = parsePolicy(text)
    assert.ok(!('problems' in policy))
    const [x1, x2, x3, y1] = policy.witnesses.map((one) => one.key)
    assert.equal(policy.witnesses[1]?.url, 'http://127.0.0.1:7000/')
    assert.equal(policy.quorum, '2 of (2 of X1, X2, X3), Y1')
    assert.ok(policy.isQuorum(new Set([x1!, x3!, y1!])))
    assert.ok(!policy.isQuorum(new Set([x1!, x2!, x3!])))
    assert.ok(!policy.isQuorum(new Set([x1!, y1!])))
    const none = parsePolicy('quorum none\n')
    assert.ok(!('problems' in none) && none.isQuorum(new Set()))
  })

  test('names every problem with its line', () => {
    const wrong = parsePolicy(`${text}quorum X1\ngroup Z 3 X1 Y9\nwitness X1 nokey\nfish\n`)
    assert.ok('problems' in wrong)
    assert.deepEqual(
      wrong.problems.map((one) => one.slice(0, 8)),
      ['line 10:', 'line 11:', 'line 12:', 'line 13:'],
    )
    assert.ok('problems' in parsePolicy(''))
    assert.ok(
      'problems' in parsePolicy(text.replace('witness X3', `witness X3 ${key('log', 'x3')} #`)),
    )
    assert.ok('problems' in parsePolicy(text.replace(key('witness', 'x3'), key('witness', 'x2'))))
    assert.ok('problems' in parsePolicy('quorum none\u0000'))
  })
})
