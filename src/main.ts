// Starts and stops; the only file that touches process.
import { readFileSync } from 'node:fs'
import { createProgram } from './commands/program.ts'
import type { Io } from './commands/io.ts'
import { exitCodes, exitCodeOf } from './commands/exit-codes.ts'
import { forTerminal } from './commands/for-terminal.ts'
import { UsageError, errorMessage } from './domain/errors.ts'

const stop = new AbortController()
let signals = 0
for (const name of ['SIGTERM', 'SIGINT'] as const) {
  process.on(name, () => {
    signals += 1
    // A second signal means now.
    if (signals > 1) process.exit(exitCodes.interrupted)
    stop.abort()
  })
}

function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(`${stream.isTTY ? forTerminal(text) : text}\n`)
}

const io: Io = {
  env: process.env,
  readFile: (path) => readFileSync(path, 'utf8'),
  out: (text) => write(process.stdout, text),
  err: (text) => write(process.stderr, text),
  isTerminal: process.stdout.isTTY,
  columns: process.stdout.columns ?? 100,
  stop: stop.signal,
  setExitCode: (code) => {
    process.exitCode = code
  },
  exit: (code) => process.exit(code),
}

// Whoever reads our output may have read enough: `| head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(process.exitCode ?? exitCodes.ok)
})

// Nobody can be told that there is no room for what is told, and the service goes on.
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOSPC') throw error
})

// Crash-only: what nobody caught leaves the process in a state that nobody knows (reliability.md 2.2).
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    io.err(`blobwatch: ${errorMessage(error)}`)
    process.exit(exitCodes.internal)
  })
}

try {
  // Without a command it is the service: `npm start`.
  const argv = process.argv.length > 2 ? process.argv : [...process.argv, 'serve']
  await createProgram(io).parseAsync(argv)
} catch (error) {
  process.exitCode = exitCodeOf(error)
  // Commander's own errors come without a message: it has said all already.
  if (errorMessage(error) !== '') io.err(`blobwatch: ${errorMessage(error)}`)
  if (
    !(error instanceof UsageError) &&
    error instanceof Error &&
    process.env['LOG_LEVEL'] === 'DEBUG'
  ) {
    io.err(error.stack ?? '')
  }
}
