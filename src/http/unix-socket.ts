// A server on a unix socket: for its owner and group. A socket that a killed process left behind is replaced, one that somebody
// answers on never is.
import { chmod, lstat, unlink } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Server } from 'node:net'
import { UsageError } from '../domain/errors.ts'

export const socketMode = 0o660

/** How long whoever may be there has to take the connection. */
const answerMs = 1_000

/** Throws UsageError when it cannot listen there. Closing the server takes the socket away. */
export async function openSocket(
  server: Server,
  { path, setting }: { path: string; setting: string },
): Promise<void> {
  await removeStale(path, setting)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ path }, resolve)
  try {
    await promise
  } catch (cause) {
    throw new UsageError(`the socket ${path} cannot be opened (${codeOf(cause)}): see ${setting}`, {
      cause,
    })
  }
  server.removeListener('error', reject)
  // Before this only the owner could write, so only the owner could connect.
  await chmod(path, socketMode)
}

async function removeStale(path: string, setting: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new UsageError(`the socket ${path} cannot be opened (${codeOf(error)}): see ${setting}`)
  })
  if (found === undefined) return
  if (!found.isSocket())
    throw new UsageError(`${path} is there and no socket: set ${setting} to another path`)
  if (await isAnswered(path))
    throw new UsageError(`somebody listens on ${path}: set ${setting} to another path`)
  await unlink(path)
}

/** Only a refused connection says that nobody is there. */
function isAnswered(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = connect({ path, timeout: answerMs })
  socket.once('connect', () => resolve(true))
  socket.once('timeout', () => resolve(true))
  socket.once('error', (error) => resolve(codeOf(error) !== 'ECONNREFUSED'))
  return promise.finally(() => socket.destroy())
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}
