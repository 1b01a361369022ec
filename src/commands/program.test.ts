import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, test } from 'node:test'
import type { Command } from 'commander'
import { settings } from '../config-settings.ts'
import { examplesOf } from './examples.ts'
import { createProgram } from './program.ts'
import { commandLine } from './run-in-test.ts'
import { writtenDocs } from './write-docs.ts'

const blobwatch = await commandLine()

describe('the command line', () => {
  test('every verb has a description, and every verb of data has --json and examples', () => {
    // shadow writes JSON lines in any case.
    const withoutData = ['serve', 'demo', 'shadow']
    const program = createProgram({
      env: {},
      readFile: () => '',
      out: () => undefined,
      err: () => undefined,
      isTerminal: false,
      columns: 80,
      stop: new AbortController().signal,
      setExitCode: () => undefined,
      exit: () => undefined,
    })
    const leaves = (command: Command): Command[] =>
      command.commands.length === 0 ? [command] : command.commands.flatMap(leaves)
    for (const command of program.commands.flatMap(leaves)) {
      const name = command.name()
      assert.notEqual(command.description(), '', name)
      if (withoutData.includes(name)) continue
      assert.ok(
        command.options.some((option) => option.long === '--json'),
        name,
      )
      assert.ok(examplesOf(command).length > 0, name)
    }
  })

  test('--help shows the groups and is exit code 0; an unknown verb is 2', async () => {
    const help = await blobwatch(['--help'])
    assert.equal(help.code, 0)
    assert.match(help.out, /Deciding:\n +case/)
    assert.equal((await blobwatch(['cases'])).code, 2)
    assert.equal((await blobwatch(['case'])).code, 2)
    assert.match(
      (await blobwatch(['case', 'confirm', '--help'])).out,
      /Examples:\n {2}blobwatch case confirm 7/,
    )
  })

  test('a setting that is wrong is told by every verb with exit code 2', async () => {
    const { code, err } = await blobwatch(['case', 'list'], { env: { BLOBWATCH_MODE: 'kill' } })
    assert.equal(code, 2)
    assert.equal(err, 'BLOBWATCH_MODE is one of observe, hold, act')
  })
})

describe('the written docs', () => {
  for (const [path, text] of Object.entries(writtenDocs())) {
    test(`${path} is what the code says: node src/commands/write-docs.ts writes it`, async () => {
      const file = fileURLToPath(new URL(`../../${path}`, import.meta.url))
      assert.equal(await readFile(file, 'utf8'), text)
    })
  }

  test('name every setting but the one for tests', () => {
    const text = writtenDocs()['.env.example'] ?? ''
    for (const name of Object.keys(settings).filter((name) => name !== 'BLOBWATCH_CRASH_POINT')) {
      assert.ok(text.includes(`#${name}=`), name)
    }
  })
})
