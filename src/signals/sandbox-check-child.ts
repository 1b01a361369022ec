// Tries, from inside the sandbox, what a decoder that was taken over would try. Each argument names one target; the answer is
// one line of JSON: what worked. Started through sandbox.ts; nothing imports this file.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'

const [port, secretPath, writePath, nodePath] = process.argv.slice(2)

const worked = {
  connect: await connects(Number(port)),
  'read-file': works(() => readFileSync(secretPath!)),
  'write-file': works(() => writeFileSync(writePath!, 'x')),
  'read-parent-environment': works(() => readFileSync(`/proc/${process.ppid}/environ`)),
  'see-environment': works(() => {
    if (Object.keys(process.env).length === 0) throw new Error('empty')
  }),
  'start-process': works(() => {
    const { status, error } = spawnSync(nodePath!, ['--version'], { stdio: 'ignore' })
    if (status !== 0) throw error ?? new Error('did not run')
  }),
}
process.stdout.write(JSON.stringify(worked))

function works(attempt: () => unknown): boolean {
  try {
    attempt()
    return true
  } catch {
    // Refused, by whichever wall: what this file is there to find out.
    return false
  }
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    try {
      const socket = connect(port, '127.0.0.1')
      socket.once('connect', () => {
        socket.destroy()
        resolve(true)
      })
      socket.once('error', () => resolve(false))
    } catch {
      // Node's own wall refuses before a socket exists, where it has one for the network.
      resolve(false)
    }
  })
}
