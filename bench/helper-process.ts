// A load generator in a process of its own, so that its work is not counted as ours. It says one message when it is
// ready and ends when the channel closes, so a killed bench leaves none behind.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { inTime } from '../src/db/client.ts'

const readyMsMax = 180_000

export type HelperProcess<Ready> = AsyncDisposable & { ready: Ready; pid: number }

/** `file` is beside this one; `input` goes to it as its one argument, in JSON. */
export async function startHelper<Ready>(
  file: string,
  input: object,
): Promise<HelperProcess<Ready>> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const child = fork(path, [JSON.stringify(input)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const exited = once(child, 'exit')
  const stop = async () => {
    child.kill('SIGKILL')
    await exited
  }
  try {
    const failed = exited.then(() => Promise.reject(new Error(`${file} ended before it was ready`)))
    const [ready] = await inTime(
      Promise.race([once(child, 'message'), failed]),
      `start ${file}`,
      readyMsMax,
    )
    return { ready: ready as Ready, pid: child.pid ?? 0, [Symbol.asyncDispose]: stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** For the helper's side: what startHelper was given. */
export function helperInput(): unknown {
  process.once('disconnect', () => process.exit(0))
  return JSON.parse(process.argv[2] ?? '{}')
}

export function tellReady(ready: object): void {
  process.send?.(ready)
}
