import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { CheckRow } from '../plugins/check.ts'
import { commandLine } from './run-in-test.ts'

const run = await commandLine()
const example = fileURLToPath(
  new URL('../../examples/plugins/average-hash/manifest.json', import.meta.url),
)
const odd = fileURLToPath(new URL('../plugins/fixtures/odd-plugin.ts', import.meta.url))
const noPython = !existsSync('/usr/bin/python3') && 'there is no /usr/bin/python3'

const dir = await mkdtemp(join(tmpdir(), 'blobwatch-plugin-'))
after(() => rm(dir, { recursive: true, force: true }))
// A child of another user reads the manifest's folder.
await chmod(dir, 0o755)

type Checked = { plugins: { plugin: string; kind: string; checks: CheckRow[] }[] }

async function manifestOf(behaviour: string, change: object = {}): Promise<string> {
  const file = join(dir, `${behaviour}.json`)
  const manifest = {
    ...{ blobwatch: 1, kind: 'signal-type', name: 'odd', version: '1', media: ['other'] },
    ...{ digits: 8, metric: { kind: 'exact' }, limits: { memoryMb: 1024 } },
    command: [process.execPath, '--no-warnings', odd, behaviour],
    ...change,
  }
  await writeFile(file, JSON.stringify(manifest))
  return file
}

/** 128 by 128, darker to the left. */
async function greyPicture(): Promise<string> {
  const file = join(dir, 'a.pgm')
  const pixels = Uint8Array.from({ length: 128 * 128 }, (_, i) => (i % 128) * 2)
  await writeFile(file, Buffer.concat([Buffer.from('P5 128 128 255\n'), pixels]))
  return file
}

const states = ({ checks }: Checked['plugins'][number]) => checks.map(({ state }) => state)

test('the example passes every check and shows its value', { skip: noPython }, async () => {
  const sample = await greyPicture()
  const checked = await run(['plugin', 'check', example, '--sample', sample, '--json'])
  assert.equal(checked.code, 0, checked.err + checked.out)
  const { plugins } = checked.json() as Checked
  assert.deepEqual(
    [plugins[0]!.plugin, new Set(states(plugins[0]!))],
    ['average_hash', new Set(['holds'])],
  )
  const hashed = await run(['hash', '--plugin', example, sample])
  assert.match(hashed.out, /^average_hash +0f0f0f0f0f0f0f0f \(quality \d+\)$/m)
})

test('a check that fails says what the program wrote, and the exit code is 1', async () => {
  const { code, out } = await run(['plugin', 'check', await manifestOf('wrong-value')])
  assert.equal(code, 1)
  assert.match(out, /hello.*fails.*protocol/)
  const missing = await manifestOf('good', { command: [process.execPath, '/no/such/file.js'] })
  const told = await run(['plugin', 'check', missing])
  assert.match(told.out, /fails.*ended; it wrote: .*no\/such\/file/s)
})

test('without a manifest it checks those that the settings name, an exchange too', async () => {
  const signal = await manifestOf('good')
  const command = [process.execPath, '--no-warnings', odd, 'good']
  const exchange = join(dir, 'exchange.json')
  await writeFile(
    exchange,
    JSON.stringify({
      ...{ blobwatch: 1, kind: 'exchange', name: 'odd_exchange', version: '1', command },
      limits: { memoryMb: 1024 },
    }),
  )
  const env = { BLOBWATCH_PLUGINS: `${signal},${exchange}` }
  const { code, json } = await run(['plugin', 'check', '--json'], { env })
  const { plugins } = json() as Checked
  assert.deepEqual(
    plugins.map(({ kind }) => kind),
    ['signal-type', 'exchange'],
  )
  // It says hello by another name.
  assert.deepEqual([code, states(plugins[1]!)], [1, ['fails']])
  const named = await run(['plugin', 'check'])
  assert.deepEqual([named.code, named.err], [2, 'name a MANIFEST, or set BLOBWATCH_PLUGINS'])
})

test('a file of a kind that the manifest leaves out is not handed over', async () => {
  const file = join(dir, 'text')
  await writeFile(file, 'text')
  const pictures = await manifestOf('good', { media: ['image'] })
  const first = await run(['hash', '--json', '--plugin', pictures, file])
  const { files } = first.json() as { files: { plugin: unknown }[] }
  assert.deepEqual(files[0]!.plugin, { name: 'odd', kind: 'none' })
  const all = await run(['hash', '--json', '--plugin', await manifestOf('good'), file])
  assert.equal(
    (all.json() as { files: { plugin: { kind: string } }[] }).files[0]!.plugin.kind,
    'value',
  )
})

test('a manifest is refused with every problem in it', async () => {
  const wrong: [object, RegExp][] = [
    [{ name: 'pdq' }, /signal type of ours/],
    [{ name: 'Has Spaces' }, /name is 2 to 32/],
    [{ digits: 7 }, /digits is even/],
    [{ metric: { kind: 'hamming', bits: 64, radius: 3 } }, /bits is four times digits/],
    [{ metric: { kind: 'hamming', bits: 32, radius: 16 } }, /everything matches/],
    [{ command: ['bin/program'] }, /command begins with/],
    [{ command: [] }, /command /],
    [{ shell: true }, /shell/],
    [{ blobwatch: 2 }, /blobwatch /],
    [{ limits: { memoryMb: 100_000 } }, /limits\.memoryMb/],
  ]
  for (const [change, told] of wrong) {
    const { code, err } = await run(['plugin', 'check', await manifestOf('good', change)])
    assert.match(err, told)
    assert.equal(code, 2)
  }
  const two = await run(['plugin', 'check', await manifestOf('good', { digits: 0, name: '-' })])
  assert.equal(two.err.split('\n').length, 2)
})
