// `npm run verifier`: builds the verifier's two files, which are committed: verifier/verify.mjs for Node and
// verifier/verify.html for a browser without a network. build.test.ts holds them to their sources, byte for byte.
import { readFile, writeFile } from 'node:fs/promises'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { BuildOptions, Plugin } from 'esbuild'

const root = fileURLToPath(new URL('../..', import.meta.url))
const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  write: false,
  format: 'esm',
  charset: 'utf8',
  legalComments: 'none',
  // A comment names each file: the same wherever node_modules really lies.
  preserveSymlinks: true,
  logLevel: 'silent',
}

/** path -> content, from the top folder on. */
export async function buildVerifier(): Promise<Map<string, string>> {
  return new Map([
    ['verifier/verify.mjs', await buildScript()],
    ['verifier/verify.html', await buildPage()],
  ])
}

async function buildScript(): Promise<string> {
  const script = await bundle({
    ...common,
    entryPoints: ['src/verifier/main.ts'],
    platform: 'node',
    target: 'node20',
  })
  return `// Verifies ledger bundles of Blobwatch: node verify.mjs --help. Needs Node 20.12 or newer and nothing else.
// Made by \`npm run verifier\` from src/verifier: change it there.
${script}`
}

async function buildPage(): Promise<string> {
  const script = await bundle({
    ...common,
    entryPoints: ['src/verifier/page/page.ts'],
    platform: 'browser',
    target: 'es2022',
    format: 'iife',
    plugins: [webPlatform],
  })
  const [html, css] = await Promise.all(
    ['page.html', 'page.css'].map((name) =>
      readFile(new URL(`page/${name}`, import.meta.url), 'utf8'),
    ),
  )
  // The script ends up inside an element: the text of its end may not stand in it.
  const safe = script.replaceAll('</script', String.raw`<\/script`)
  const style = css ?? ''
  const policy = `default-src 'none'; script-src 'sha256-${sha256(safe)}'; style-src 'sha256-${sha256(style)}'; base-uri 'none'; form-action 'none'`
  const places = {
    'content="policy"': `content="${policy}"`,
    '<link rel="stylesheet" href="page.css" />': `<style>${style}</style>`,
    '<script src="page.js"></script>': `<script>${safe}</script>`,
  }
  return Object.entries(places).reduce((page, [place, text]) => {
    if (page.split(place).length !== 2) throw new Error(`page.html has not one ${place}`)
    return page.replace(place, () => text)
  }, html ?? '')
}

/** The two primitives, from a library: a page opened from a file has no synchronous ones of its own. */
const webPlatform: Plugin = {
  name: 'web-platform',
  setup(build) {
    build.onLoad({ filter: /src\/ledger\/platform\.ts$/ }, () => ({
      contents: "export * from './platform-web.ts'",
      resolveDir: `${root}/src/ledger`,
      loader: 'ts',
    }))
  },
}

async function bundle(options: BuildOptions): Promise<string> {
  const { outputFiles } = await build({ ...options, write: false })
  return outputFiles?.[0]?.text ?? ''
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64')
}

if (import.meta.main) {
  for (const [path, text] of await buildVerifier()) {
    await writeFile(new URL(`../../${path}`, import.meta.url), text)
    console.log(`${path}, ${text.length} characters`)
  }
}
