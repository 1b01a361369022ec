import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { metricTable } from './telemetry/metric-table.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (path: string) => readFileSync(`${root}/${path}`, 'utf8')
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...readdirSync(`${root}/docs`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

test('every test that the invariants name is there', () => {
  const named = [...read('docs/invariants.md').matchAll(/`(src\/[^`]+\.test\.ts)`: ([^|\n]+)/g)]
  const missing = named.filter(([, file, name]) => !read(file ?? '').includes((name ?? '').trim()))
  assert.ok(named.length > 50)
  assert.deepEqual(
    missing.map(([line]) => line),
    [],
  )
})

test('every file that a document names exists', () => {
  const missing = documents.flatMap((document) =>
    [...read(document).matchAll(/`((?:src|migrations|docs|bench|lexicons)\/[\w./-]+)`/g)]
      .map(([, path]) => path ?? '')
      .filter((path) => !existsSync(`${root}/${path}`))
      .map((path) => `${document}: ${path}`),
  )
  assert.deepEqual(missing, [])
})

test('every link between documents leads somewhere', () => {
  const broken = documents.flatMap((document) => {
    const folder = document.includes('/') ? document.replace(/[^/]+$/, '') : ''
    return [...read(document).matchAll(/\]\((?!https?:|mailto:|#)([^)#]+)/g)]
      .map(([, path]) => path ?? '')
      .filter((path) => !existsSync(`${root}/${folder}${path}`))
      .map((path) => `${document}: ${path}`)
  })
  assert.deepEqual(broken, [])
})

test('the monitoring page names every metric, and no other', () => {
  const told = new Set(
    [...read('docs/operating/monitoring.md').matchAll(/`(blobwatch_\w+)/g)].map(
      ([, name]) => name ?? '',
    ),
  )
  assert.deepEqual([...told].toSorted(), Object.keys(metricTable).toSorted())
})

test('the page of the API names every code of a refusal', () => {
  const files = readdirSync(`${root}/src/api`, { recursive: true, encoding: 'utf8' })
    .filter((name) => /^(?:v1\/)?[\w-]+\.ts$/.test(name) && !/test/.test(name))
    .map((name) => `src/api/${name}`)
  const page = read('docs/api.md')
  const shapes = [
    /\bcode: '([a-z-]+)'/g,
    /\b(?:Refusal|orRefuse)\(\s*\d{3},\s*'([a-z-]+)'/g,
    // Behind the sentence.
    /\brefuse\(\s*context,\s*\d{3},\s*(?:'[^']*'|`[^`]*`|[\w.]+),\s*'([a-z-]+)'/g,
    /\brefused\(\s*(?:'[^']*'|`[^`]*`|\w+),\s*'([a-z-]+)'/g,
  ]
  const codes = new Set(
    files.flatMap((file) =>
      shapes.flatMap((shape) => [...read(file).matchAll(shape)].map(([, code = '']) => code)),
    ),
  )
  assert.ok(codes.size > 40, [...codes].join())
  assert.deepEqual(
    [...codes].filter((code) => !page.includes(`\`${code}\``)),
    [],
  )
})

test('no document names a private folder or a package registry', () => {
  const found = documents.filter((document) =>
    /(^|[^.\w])\/(work|root|home\/\w+)\/|registry\.npm|npmjs\.org/m.test(read(document)),
  )
  assert.deepEqual(found, [])
})
