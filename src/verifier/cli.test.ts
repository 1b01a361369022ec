import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { formatTlogProof } from '../ledger/note/tlog-proof.ts'
import { createProver } from '../ledger/tree/prove.ts'
import { parseBundle } from '../ledger/tree/tiles.ts'
import { runCli } from './cli.ts'

const example = fileURLToPath(new URL('example-bundle', import.meta.url))
const policy = join(example, 'policy.txt')
const key = (await readFile(join(example, 'log.vkey'), 'utf8')).trim()
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-verifier-'))
after(() => rm(dir, { recursive: true, force: true }))
const nowMs = Date.parse('2026-11-21T04:00:00Z')

async function verify(...args: string[]) {
  const out: string[] = []
  const err: string[] = []
  const code = await runCli(args, {
    ...{ out: (text) => out.push(text), err: (text) => err.push(text), nowMs, seed: 1 },
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

let copies = 0
/** A copy of the example in which one file is another. */
async function changed(
  path: string,
  change: (bytes: Buffer) => Uint8Array | string,
): Promise<string> {
  const folder = join(dir, `copy-${(copies += 1)}`)
  await cp(join(example, 'bundle'), folder, { recursive: true })
  await writeFile(join(folder, path), change(await readFile(join(folder, path))))
  return folder
}
const replaced = (from: string, to: string) => (bytes: Buffer) => {
  assert.ok(bytes.includes(from), from)
  return bytes.toString().replace(from, to)
}

const bundle = join(example, 'bundle')

test('the example is true, with a policy, with a key, with an older checkpoint, and says so first', async () => {
  const pin = ['--pin', join(example, 'older-checkpoint')]
  const good = await verify(bundle, '--policy', policy, '--max-age', '1h', ...pin)
  assert.equal(good.code, 0, good.out)
  assert.match(
    good.out,
    /^TRUE: 300 entries of ledger\.example\/2028 are what was signed and witnessed\.\n/,
  )
  assert.match(good.out, /openssl ts -verify -in stamp\.tsr -digest [0-9a-f]{64} -CAfile/)
  assert.match(good.err, /300 of 300 entries/)
  assert.equal((await verify(bundle, '--key', key)).code, 0)
  const json = await verify(bundle, '--key', key, '--json')
  const report = JSON.parse(json.out) as {
    verdict: string
    root: string
    opened: { erased: number }
  }
  assert.deepEqual(
    [report.verdict, report.root, report.opened.erased],
    ['true', '541beefc8b7c299a1de34c1d91fda68420e33b12e970f09be0f80d93bbb85104', 7],
  )
})

test('what is tampered with is exit code 1 and where', async () => {
  const folder = await changed('tile/entries/000', (bytes) => bytes.with(300, 65))
  const { code, out } = await verify(folder, '--key', key)
  assert.equal(code, 1)
  assert.match(out, /^TAMPERED: .*\n {2}tampered: entry 0: /)
})

test('what is stale, not enough witnessed, unsigned or missing is exit code 2', async () => {
  const stale = await verify(
    bundle,
    '--policy',
    policy,
    '--max-age',
    '1h',
    '--now',
    '2026-11-22T00:00:00Z',
  )
  assert.equal(stale.code, 2)
  assert.match(stale.out, /too old: it is of 2026-11-21T03:24:39/)
  const strict = join(dir, 'strict.txt')
  const text = (await readFile(policy, 'utf8')).replace(
    'group enough 1 w0 w1',
    'group enough 2 w0 w1',
  )
  await writeFile(strict, text)
  assert.equal((await verify(bundle, '--policy', strict)).code, 0)
  const fewer = await changed('checkpoint', (bytes) =>
    bytes.toString().split('\n').toSpliced(6, 1).join('\n'),
  )
  const lines = await readFile(join(fewer, 'checkpoints.jsonl'), 'utf8')
  await writeFile(
    join(fewer, 'checkpoints.jsonl'),
    lines.trimEnd().split('\n').slice(0, -1).join('\n').concat('\n'),
  )
  assert.match(
    (await verify(fewer, '--policy', strict)).out,
    /does not meet the quorum \(2 of w0, w1\); the newest that does has 262/,
  )
  const foreign = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
  const unsigned = await verify(bundle, '--key', foreign)
  assert.equal(unsigned.code, 2)
  assert.match(unsigned.out, /none of the keys given for ledger\.example\/2028 signed it/)
  const cut = await changed('tile/0/000', (bytes) => bytes)
  await rm(join(cut, 'tile/entries/001.p/44'))
  const missing = await verify(cut, '--key', key)
  assert.equal(missing.code, 2, missing.out)
  assert.match(missing.out, /tile\/entries\/001\.p\/44: the file is missing/)
})

test('a checkpoint of more entries than there are, kept by somebody, is exit code 1', async () => {
  const note = await readFile(join(bundle, 'checkpoint'), 'utf8')
  const [first = ''] = (await readFile(join(bundle, 'checkpoints.jsonl'), 'utf8')).split('\n')
  const pin = join(dir, 'kept')
  await writeFile(pin, note)
  const cut = await changed('checkpoint', () => (JSON.parse(first) as { note: string }).note)
  await writeFile(join(cut, 'checkpoints.jsonl'), `${first}\n`)
  await writeFile(join(cut, 'anchors.jsonl'), '')
  const entries = parseBundle(await readFile(join(bundle, 'tile/entries/000'))) ?? []
  const part = Buffer.concat(
    entries
      .slice(0, 8)
      .map((entry) => Buffer.concat([Buffer.of(entry.length >> 8, entry.length & 255), entry])),
  )
  await rm(join(cut, 'tile'), { recursive: true })
  await cp(join(bundle, 'tile/0/001.p'), join(cut, 'tile/entries/000.p'), { recursive: true })
  await cp(join(bundle, 'tile/0/001.p'), join(cut, 'tile/0/000.p'), { recursive: true })
  await writeFile(join(cut, 'tile/entries/000.p/8'), part)
  await writeFile(
    join(cut, 'tile/0/000.p/8'),
    (await readFile(join(bundle, 'tile/0/000'))).subarray(0, 256),
  )
  const manifest = await readFile(join(bundle, 'bundle.json'), 'utf8')
  await writeFile(
    join(cut, 'bundle.json'),
    manifest
      .replace('"size": 300', '"size": 8')
      .replace('"opened": "all"', '"opened": "none"')
      .replace('"checkpoints": 7', '"checkpoints": 1')
      .replace('"anchors": 3', '"anchors": 0'),
  )
  assert.equal(
    (await verify(cut, '--policy', policy)).code,
    0,
    'from its files alone it is a true, older log',
  )
  const pinned = await verify(cut, '--policy', policy, '--pin', pin)
  assert.equal(pinned.code, 1)
  assert.match(pinned.out, /the log had 300 entries and is shorter now/)
})

test('what is used in a wrong way is exit code 3, each with its own sentence', async () => {
  const future = await changed('bundle.json', replaced('"version": 1', '"version": 2'))
  const other = await changed('bundle.json', replaced('blobwatch-ledger-bundle', 'something'))
  const notes = join(dir, 'notes')
  await writeFile(notes, 'no note')
  const cases: [string[], RegExp][] = [
    [[], /^Verifies a ledger bundle/],
    [[bundle], /give the key of the log, or a policy/],
    [[bundle, '--key', 'x'], /a verifier key looks like NAME/],
    [[bundle, '--key', key.replace('Abe', 'Abf')], /does not fit its own id/],
    [[bundle, '--policy', notes], /the policy cannot be used: line 1/],
    [[bundle, '--policy', join(dir, 'nowhere')], /ENOENT/],
    [[bundle, '--key', key, '--frob'], /Unknown option '--frob'/],
    [[bundle, 'another', '--key', key], /name one bundle/],
    [[join(dir, 'nowhere'), '--key', key], /ENOENT/],
    [[notes, '--key', key], /is not a folder/],
    [[dir, '--key', key], /there is no ledger bundle here/],
    [[future, '--key', key], /the bundle has the format 2, this verifier knows 1: use a newer one/],
    [[other, '--key', key], /this is no ledger bundle: its format is something/],
    [[bundle, '--key', key, '--max-age', 'long'], /--max-age is a number/],
    [[bundle, '--key', key, '--now', 'soon'], /--now is a time/],
    [[bundle, '--key', key, '--pin', notes], /is no signed checkpoint/],
    [[bundle, '--key', key, '--entry', notes], /--entry goes with proof/],
    [['proof', notes, '--key', key], /--entry FILE names the entry/],
    [['proof', notes, '--entry', notes, '--key', key], /this is no proof: the proof ends/],
    [
      ['proof', notes, '--entry', notes, '--key', key, '--pin', notes],
      /--pin does not go with proof/,
    ],
  ]
  for (const [args, sentence] of cases) {
    const { code, out, err } = await verify(...args)
    assert.equal(code, 3, args.join(' '))
    assert.match(out + err, sentence)
  }
  assert.equal((await verify('--help')).code, 0)
})

test('rubbish in any file of a bundle ends in a verdict, never in an exception', async () => {
  const paths = [
    'bundle.json',
    'checkpoint',
    'checkpoints.jsonl',
    'anchors.jsonl',
    'opened.jsonl',
    'tile/entries/000',
    'tile/0/000',
  ]
  for (const path of paths)
    for (const rubbish of [
      '',
      '{',
      'null\n',
      '[]\n',
      '{}\n',
      '\u0000\u0001',
      '{"size":-1}\n',
      '{"size":8,"note":5}\n',
    ]) {
      const { code } = await verify(await changed(path, () => rubbish), '--key', key)
      // An empty anchors file lacks lines; an unknown format is usage.
      assert.ok(
        code === 1 || code === 2 || (path === 'bundle.json' && code === 3),
        `${path}: ${rubbish}`,
      )
    }
})

test('a proof of each of some entries verifies with its own entry only', async () => {
  const leaves = Buffer.concat([
    await readFile(join(bundle, 'tile/0/000')),
    await readFile(join(bundle, 'tile/0/001.p/44')),
  ])
  const top = await readFile(join(bundle, 'tile/1/000.p/1'))
  const prover = createProver(
    {
      readTile: (level, index, width) =>
        Promise.resolve(
          new Uint8Array(
            (level === 0 ? leaves : top).subarray(index * 8192, index * 8192 + width * 32),
          ),
        ),
    },
    300,
  )
  const note = await readFile(join(bundle, 'checkpoint'), 'utf8')
  const entries = parseBundle(await readFile(join(bundle, 'tile/entries/000'))) ?? []
  const [proofFile, entryFile] = [join(dir, 'p.tlog-proof'), join(dir, 'p.entry')]
  for (const index of [0, 1, 100, 255]) {
    await writeFile(
      proofFile,
      formatTlogProof({ index, proof: await prover.inclusion(index, 300), note }),
    )
    await writeFile(entryFile, entries[index] ?? '')
    const args = ['proof', proofFile, '--entry', entryFile, '--policy', policy]
    const good = await verify(...args)
    assert.equal(good.code, 0, good.out)
    assert.match(
      good.out,
      new RegExp(`^TRUE: This is entry ${index} of 300 in ledger.example/2028, witnessed at 2026`),
    )
    await writeFile(entryFile, entries[index + 1 - 2 * (index % 2)] ?? '')
    assert.equal((await verify(...args)).code, 1)
  }
})

test('the built file runs as it is', async () => {
  const program = fileURLToPath(new URL('../../verifier/verify.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, bundle, '--policy', policy], {
    stdio: 'pipe',
    env: {},
  })
  let out = ''
  child.stdout.on('data', (text: Buffer) => void (out += text.toString()))
  const [code] = (await once(child, 'close')) as [number]
  assert.equal(code, 0)
  assert.match(out, /^TRUE: 300 entries/)
})
