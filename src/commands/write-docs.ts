// `node src/commands/write-docs.ts`: writes the reference pages that are rendered from the code. Run it when a test says so.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { renderDifferences } from '../api/hma/differences.ts'
import { renderConfigurationDoc, renderEnvExample } from '../config-doc.ts'
import { renderCommandsDoc } from './commands-doc.ts'
import type { Io } from './io.ts'
import { createProgram } from './program.ts'

const silent: Io = {
  env: {},
  readFile: () => '',
  out: () => undefined,
  err: () => undefined,
  isTerminal: false,
  columns: 80,
  stop: new AbortController().signal,
  setExitCode: () => undefined,
  exit: () => undefined,
}

/** Path from the root of the repository -> text. */
export function writtenDocs(): Record<string, string> {
  return {
    'docs/operating/commands.md': renderCommandsDoc(createProgram(silent)),
    'docs/operating/configuration.md': renderConfigurationDoc(),
    '.env.example': renderEnvExample(),
    'docs/hma-differences.md': renderDifferences(),
  }
}

if (import.meta.main) {
  for (const [path, text] of Object.entries(writtenDocs())) {
    const file = fileURLToPath(new URL(`../../${path}`, import.meta.url))
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
  }
}
