import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { forTerminal } from './for-terminal.ts'

const run = promisify(execFile)
const script = '/usr/bin/script'

test('keeps lines, tabs and every letter, and nothing that a terminal obeys', () => {
  const plain = 'ünïcödé 😀\tzwei\nZeilen'
  assert.equal(forTerminal(plain), plain)
  assert.equal(forTerminal('a\u001b]0;x\u0007b\rc\u009bd\u202ee\u007f'), 'a�]0;x�b�c�d�e�')
})

test(
  'what a program of others wrote reaches a pipe as it is, and a terminal without its orders',
  { skip: existsSync(script) ? false : 'there is no script(1)' },
  async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'blobwatch-terminal-'))
    t.after(() => rm(dir, { recursive: true, force: true }))
    const manifest = join(dir, 'manifest.json')
    const words = ['/bin/sh', '-c', String.raw`printf '\033]0;owned\007' >&2; exit 3`]
    const metric = { kind: 'exact' }
    await writeFile(
      manifest,
      JSON.stringify({
        ...{ blobwatch: 1, kind: 'signal-type', name: 'loud', version: '1', command: words },
        ...{ media: ['image'], digits: 2, metric },
      }),
    )
    const command = [
      process.execPath,
      join(import.meta.dirname, '..', 'main.ts'),
      'plugin',
      'check',
    ]
    const outputOf = (file: string, argv: string[]) =>
      run(file, argv, { env: {} }).then(
        ({ stdout }) => stdout,
        ({ stdout }: { stdout: string }) => stdout,
      )
    const argv = [...command.slice(1), manifest]
    assert.ok((await outputOf(process.execPath, argv)).includes('\u001b]0;owned\u0007'))
    const shown = await outputOf(script, ['-qec', [...command, manifest].join(' '), '/dev/null'])
    assert.ok(shown.includes(']0;owned'), shown)
    assert.ok(!shown.includes('\u001b'), shown)
  },
)
