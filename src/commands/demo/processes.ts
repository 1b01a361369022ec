// Blobwatch as an operator runs it: `serve` as a process of its own, and commands beside it.
import { spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

export type Environment = Readonly<Record<string, string>>

export type ServiceProcess = AsyncDisposable & {
  pid: number
  /** That it is not running any more, and why; undefined while it is. */
  ending: () => string | undefined
  /** The last lines it wrote, for when something went wrong. */
  lastLines: () => Promise<string>
}

const STOP_MS = 12_000
const KILL_MS = 2_000
const COMMAND_MS = 20_000
const OUTPUT_CHARS_MAX = 5_000_000
const LOG_LINES_SHOWN = 12

export async function startService(env: Environment, logFile: string): Promise<ServiceProcess> {
  const log = await open(logFile, 'a', 0o600)
  // In a process group of its own: ctrl-C at the terminal reaches the demo alone, which then ends this in order.
  const child = spawn(process.execPath, [mainFile(), 'serve'], {
    env,
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
  })
  await once(child, 'spawn')
  await log.close()
  const { pid = 0 } = child
  const ended = once(child, 'exit')
  // When the demo itself is cut short nothing else would end it.
  const end = () => void child.kill('SIGTERM')
  process.once('exit', end)
  return {
    pid,
    ending() {
      if (child.exitCode !== null) return `Blobwatch ended with exit code ${child.exitCode}`
      return child.signalCode === null ? undefined : `Blobwatch was ended by ${child.signalCode}`
    },
    lastLines: async () => {
      const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n')
      return lines.slice(-LOG_LINES_SHOWN).join('\n')
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      if (!(await inTime(ended, STOP_MS))) {
        child.kill('SIGKILL')
        await inTime(ended, KILL_MS)
      }
      process.off('exit', end)
    },
  }
}

export type CommandResult = { code: number; stdout: string; stderr: string }

export async function runCommand(
  args: readonly string[],
  options: { env: Environment; signal: AbortSignal },
): Promise<CommandResult> {
  const child = spawn(process.execPath, [mainFile(), ...args], {
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: options.signal,
    timeout: COMMAND_MS,
  })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (stdout.length < OUTPUT_CHARS_MAX) stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < OUTPUT_CHARS_MAX) stderr += text
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code === null)
    throw new Error(`"${args.join(' ')}" did not end within ${COMMAND_MS / 1000} s`)
  return { code, stdout, stderr }
}

/** The file that this process was started with: main.ts here, main.js in a package. */
function mainFile(): string {
  return process.argv[1] ?? ''
}

/** Whether it came about in time. */
async function inTime(event: Promise<unknown>, limitMs: number): Promise<boolean> {
  const over = new AbortController()
  const late = sleep(limitMs, false, { signal: over.signal }).catch(() => false)
  const result = await Promise.race([event.then(() => true), late])
  over.abort()
  return result
}
