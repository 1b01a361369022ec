// A list of millions would fill the disk on which the service's own Postgres lies, and take it down with everything else.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../config.ts'
import { RetryableError } from '../domain/errors.ts'
import { freeBytes } from '../service-health.ts'

const lookEveryMs = 500

export type WhileRoom = Disposable & {
  /** Aborts as `stop` does, and with a RetryableError as its reason where the disk is low. */
  signal: AbortSignal
}

/** For what writes much: goes on as long as the disk of the data folder has what intake needs. */
export async function whileThereIsRoom(
  { dataDir, diskFreeBytesMin }: Pick<Config, 'dataDir' | 'diskFreeBytesMin'>,
  stop: AbortSignal,
): Promise<WhileRoom> {
  const low = new AbortController()
  const over = new AbortController()
  const look = async () => {
    const free = await freeBytes(dataDir)
    if (free === undefined || free >= diskFreeBytesMin) return
    low.abort(
      new RetryableError(
        `the disk is low: ${toMb(free)} MB are free, and BLOBWATCH_DISK_FREE_MB_MIN is ${toMb(diskFreeBytesMin)}. Make room; the same command goes on`,
      ),
    )
  }
  const watch = async () => {
    while (!over.signal.aborted && !low.signal.aborted) {
      await sleep(lookEveryMs, undefined, { signal: over.signal, ref: false }).catch(
        () => undefined,
      )
      if (!over.signal.aborted) await look()
    }
  }
  await look()
  void watch()
  return {
    signal: AbortSignal.any([stop, low.signal]),
    [Symbol.dispose]: () => over.abort(),
  }
}

const toMb = (bytes: number) => Math.floor(bytes / 1024 / 1024)
