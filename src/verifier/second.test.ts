// Whether our verifier (verifier/verify.mjs) and one that was written from docs/ledger.md alone, in Python, say the same
// of the same bundles: with which exit code, and where they find tampering. Skipped where there is no python3.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { bundleOf, createRandom, makeLog } from './log-in-test.ts'
import type { LogParts, LogShape, MadeLog } from './log-in-test.ts'
import { makeEdges } from './second-edges-in-test.ts'
import { lackOfPython, startVerifiers } from './second-in-test.ts'
import type { BundleCase, Verifiers } from './second-in-test.ts'
import { entryTamperings } from './tampering-entries-in-test.ts'
import { fileTamperings } from './tampering-files-in-test.ts'
import { forge } from './tampering-tools-in-test.ts'
import type { Tampering } from './tampering-tools-in-test.ts'

const isLong = process.env['BLOBWATCH_TEST_LONG'] === '1'
const seed = Number(process.env['BLOBWATCH_TEST_SEED'] ?? '20261121')
const skip = lackOfPython() ?? false
const dir = await mkdtemp(join(tmpdir(), 'blobwatch-second-'))
const verifiers = skip === false ? startVerifiers(dir) : undefined
after(async () => {
  verifiers?.stop()
  await rm(dir, { recursive: true, force: true })
})

const shape = { erasures: 3, recoveries: 0, changesKey: false, witnesses: 2 }
/** Within a tile, and more than one. */
const logs = [40, 300].map((entries, i) =>
  makeLog({
    ...shape,
    checkpointEvery: 8 + Math.floor(entries / 8),
    seed: seed + i,
    entries,
    opened: 'all',
  }),
)
const random = createRandom(seed)

/** RFC 8032, section 7.1, tests 1 to 3: key, message, R, S. */
const rfcVectors = [
  [
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155',
    '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    '72',
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da',
    '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ],
  [
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac',
    '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
]

/** Both say the same; gives what they say. */
async function agree(one: BundleCase, what: string, isPlaced = true): Promise<number> {
  const { ours, second } = await (verifiers as Verifiers).ask(one)
  assert.deepEqual(ours.exit, second.exit, `${what}: ${JSON.stringify({ ours, second })}`)
  if (isPlaced) assert.deepEqual(placesOf(ours), placesOf(second), what)
  return second.exit as number
}

/** A report names the first hundred findings. */
function placesOf({ places }: { places: string[] }): string[] {
  const distinct = [
    ...new Set(places.map((place) => place.replace(/^(opened\.jsonl) line \d+$/, '$1'))),
  ].toSorted()
  return distinct.length >= 50 ? ['many'] : distinct
}

function partsOf(log: MadeLog): LogParts {
  const { entries, checkpoints, anchors, values, note, opened } = log
  return structuredClone({ log: log.log, entries, checkpoints, anchors, values, note, opened })
}

async function tampered(
  tampering: Tampering,
  log: MadeLog,
  position: number,
): Promise<BundleCase | undefined> {
  const choose = createRandom(seed + position * 7919)
  const parts = partsOf(log)
  if (tampering.parts?.(parts, choose, log) === false) return undefined
  if (tampering.forges === true) forge(parts)
  const files = await bundleOf(parts)
  if (tampering.files?.(files, choose, log) === false) return undefined
  const pins = (tampering.pins?.(log, choose) ?? []).map(({ note }) => note)
  return { files, policy: log.policy, pins, now: new Date(log.nowMs).toISOString(), maxAge: '1h' }
}

test(
  'the example is true to both, with its policy, its key and a checkpoint that was kept',
  { skip },
  async () => {
    const example = fileURLToPath(new URL('example-bundle', import.meta.url))
    const key = (await readFile(join(example, 'log.vkey'), 'utf8')).trim()
    const policy = ['--policy', join(example, 'policy.txt')]
    const bundle = join(example, 'bundle')
    for (const [args, exit] of [
      [[bundle, ...policy, '--pin', join(example, 'older-checkpoint')], 0],
      [[bundle, '--key', key], 0],
      [[bundle, ...policy, '--max-age', '1h', '--now', '2026-11-22T00:00:00Z'], 2],
      [[bundle], 3],
      [[example, ...policy], 3],
    ] as const) {
      const { ours, second } = await (verifiers as Verifiers).askFor(args)
      assert.deepEqual([ours.exit, second.exit], [exit, exit], args.join(' '))
    }
  },
)

test('both say the same of honest bundles of all shapes', { skip }, async () => {
  for (let i = 0; i < (isLong ? 200 : 12); i += 1) {
    const made: LogShape = {
      seed: seed + 1000 + i,
      entries: 1 + random(i % 4 === 0 ? 600 : 60),
      checkpointEvery: 20,
      erasures: random(4),
      recoveries: i % 3,
      changesKey: random(2) === 0,
      witnesses: random(4),
      opened: (['none', 'some', 'all'] as const)[random(3)] ?? 'all',
    }
    const log = makeLog(made)
    const recovered = log.logKeys.length > (made.changesKey ? 2 : 1)
    const pins = log.checkpoints.slice(0, 2).map(({ note }) => note)
    const exit = await agree(
      { files: await bundleOf(log), policy: log.policy, pins },
      JSON.stringify(made),
    )
    if (!recovered) assert.equal(exit, 0, JSON.stringify(made))
    assert.ok(exit === 0 || exit === 2, JSON.stringify(made))
  }
})

test(
  'its Ed25519 takes what RFC 8032 and Node sign, and nothing that was changed',
  { skip },
  () => {
    const good = rfcVectors.map(([key = '', message = '', r = '', s = '']) => [key, message, r + s])
    for (let length = 0; length < 8; length += 1) {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519')
      const message = Buffer.alloc(length * 37, length)
      const key = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32)
      good.push([key.toString('hex'), message.toString('hex'), sign(null, message, privateKey).toString('hex')]) // prettier-ignore
    }
    const order = (1n << 252n) + 27742317777372353535851937790883648493n
    const bad = good.flatMap(([key = '', message = '', signature = '']) => {
      const s = BigInt(`0x${Buffer.from(signature.slice(64), 'hex').reverse().toString('hex')}`)
      const larger = Buffer.from((s + order).toString(16).padStart(64, '0'), 'hex').reverse()
      const flipped = Buffer.from(signature, 'hex')
      const at = random(64)
      flipped[at] = (flipped[at] as number) ^ (1 << random(8))
      return [
        [key, `${message}00`, signature],
        [key, message, flipped.toString('hex')],
        [key, message, signature.slice(0, 64) + larger.toString('hex')],
        // y = p: not the one form of a point.
        [`ed${'ff'.repeat(30)}7f`, message, signature],
      ]
    })
    const script = fileURLToPath(new URL('second/ed25519.py', import.meta.url))
    const { stdout } = spawnSync('python3', [script], { input: JSON.stringify([...good, ...bad]) })
    const expected = [...good.map(() => true), ...bad.map(() => false)]
    assert.deepEqual(JSON.parse(String(stdout)), expected)
  },
)

for (const tampering of [...entryTamperings, ...fileTamperings])
  test(`${tampering.name}: both say the same`, { skip }, async () => {
    const wanted = isLong ? 60 : 2
    let tried = 0
    for (let position = 0; tried < wanted && position < 10 * wanted; position += 1) {
      const log = logs[position % 2] as MadeLog
      const one = await tampered(tampering, log, position)
      if (one === undefined) continue
      tried += 1
      assert.notEqual(await agree(one, `position ${position}`), 0)
    }
    assert.equal(tried, wanted)
  })

test(
  'both say the same when any byte of a file is changed, lost or there twice',
  { skip },
  async () => {
    const [log] = logs as [MadeLog]
    const clean = await bundleOf(log)
    const paths = [...clean.keys()]
    for (let i = 0; i < (isLong ? 2000 : 30); i += 1) {
      const path = paths[random(paths.length)] ?? ''
      const before = Buffer.from(clean.get(path) ?? [])
      const [at, how] = [random(before.length), random(4)]
      const [head, byte, rest] = [before.subarray(0, at), before[at] ?? 0, before.subarray(at + 1)]
      const middle = [[byte ^ (1 << random(8))], [random(256)], [], [byte, byte]][how] ?? []
      const changed = Buffer.concat([head, Buffer.from(middle), rest])
      const files = new Map(clean).set(path, new Uint8Array(changed))
      // What comes after a value that names a later entry counts as missing, or not: the page leaves that open.
      const isPlaced = path !== 'opened.jsonl'
      await agree({ files, policy: log.policy }, `${path}, byte ${at}: ${middle.join()}`, isPlaced)
    }
  },
)

for (const edge of skip === false ? await makeEdges() : [])
  test(`${edge.name}: both say ${edge.exit}`, async () => {
    assert.equal(await agree(edge, edge.name), edge.exit)
  })
