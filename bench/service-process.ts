// The service as an operator runs it: a process of its own, with settings in its environment.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'

const mainFile = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const readyMsMax = 30_000
const stopMsMax = 12_000
const outputCharsKept = 20_000

export type ServiceProcess = AsyncDisposable & { pid: number; output: () => string }

/** Resolves when /readyz says so. `settings` are all that it gets besides PATH and HOME. */
export async function startService(
  settings: Readonly<Record<string, string>>,
  privatePort: number,
): Promise<ServiceProcess> {
  const { PATH = '', HOME = '/' } = process.env
  const child = spawn(process.execPath, [mainFile, 'serve'], {
    env: { PATH, HOME, ...settings, BLOBWATCH_PRIVATE_PORT: String(privatePort) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (text: Buffer) => (output = (output + text.toString()).slice(-outputCharsKept))
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const exited = once(child, 'exit')
  const end = () => void child.kill('SIGTERM')
  process.once('exit', end)
  const service: ServiceProcess = {
    pid: child.pid ?? 0,
    output: () => output,
    async [Symbol.asyncDispose]() {
      process.off('exit', end)
      child.kill('SIGTERM')
      const kill = setTimeout(() => child.kill('SIGKILL'), stopMsMax)
      await exited
      clearTimeout(kill)
    },
  }
  for (let tries = 0; tries < readyMsMax / 100; tries++) {
    if (child.exitCode !== null) throw new Error(`the service ended at its start:\n${output}`)
    if (await isReady(privatePort)) return service
    await sleep(100)
  }
  await service[Symbol.asyncDispose]()
  throw new Error(`the service was not ready in time:\n${output}`)
}

async function isReady(port: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${port}/readyz`)).ok
  } catch {
    // Not listening yet.
    return false
  }
}
