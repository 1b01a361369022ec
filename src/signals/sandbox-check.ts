// The sandbox's self-test: what a child can still do, tried for real. A test and doctor read it.
//
// Each attempt is made twice, with Node's permission model and without, because native code that was taken over is
// stopped by the kernel alone. Leaves a temporary folder behind only when killed in the middle.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Sandbox } from './sandbox.ts'
import { besideThisFile } from './walls.ts'

export const sandboxAttempts = [
  'connect',
  'read-file',
  'write-file',
  'read-parent-environment',
  'see-environment',
  'start-process',
] as const
export type SandboxAttempt = (typeof sandboxAttempts)[number]

/** Which wall stops it: the kernel (for any code), only Node (for JavaScript alone), or none. */
export type SandboxFinding = { attempt: SandboxAttempt; stoppedBy: 'kernel' | 'node' | 'nothing' }

const answerBytesMax = 4096
const checkMsMax = 10_000

/** Throws when a child cannot be started or does not answer. `nodePath` is what a child would try to start. */
export async function checkSandbox(sandbox: Sandbox, nodePath: string): Promise<SandboxFinding[]> {
  const folder = await mkdtemp(join(tmpdir(), 'blobwatch-check-'))
  const server = createServer((socket) => socket.destroy())
  try {
    const port = await listen(server)
    const secretPath = join(folder, 'secret')
    await writeFile(secretPath, 'not for a child', { mode: 0o600 })
    // Written beside the folder that only we may enter: the wall to be tested is not the folder's mode.
    const targets = [String(port), secretPath, `${folder}-written`, nodePath]
    const kernelOnly = await attempt(sandbox, targets, { permission: false })
    const both = await attempt(sandbox, targets, { permission: true })
    return sandboxAttempts.map((attempt) => ({
      attempt,
      stoppedBy: both.has(attempt) ? 'nothing' : kernelOnly.has(attempt) ? 'node' : 'kernel',
    }))
  } finally {
    server.close()
    await rm(folder, { recursive: true, force: true })
    await rm(`${folder}-written`, { force: true })
  }
}

/** The attempts that worked. */
async function attempt(
  sandbox: Sandbox,
  targets: string[],
  options: { permission: boolean },
): Promise<Set<string>> {
  const child = sandbox.spawn(besideThisFile('./sandbox-check-child'), targets, options)
  const timer = setTimeout(() => child.kill('SIGKILL'), checkMsMax)
  child.on('error', () => {}) // Shows as an answer that is not JSON.
  child.stdin.on('error', () => {})
  child.stderr.resume()
  let answer = ''
  try {
    for await (const chunk of child.stdout) {
      answer += String(chunk)
      if (answer.length > answerBytesMax) break
    }
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
  }
  const worked = JSON.parse(answer) as Record<string, boolean>
  return new Set(Object.keys(worked).filter((attempt) => worked[attempt] === true))
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}
