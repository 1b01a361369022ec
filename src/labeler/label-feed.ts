// Follows the label stream from a position for one reader: pages from the store, then waits for the next change.
// Memory for a reader is one page, however far behind it is. A database that is away pauses the reader
// instead of ending it: an error frame would make consumers give up, a pause does not.
import { setTimeout as sleep } from 'node:timers/promises'
import { FatalError } from '../domain/errors.ts'
import type { LabelStore, StoredLabel } from './label-store.ts'

export const feedPageRows = 200
export const feedRetryMs = 1000

/** Labels after `after` in strictly rising order, without end; returns when `signal` aborts. */
export async function* followLabels(options: {
  store: LabelStore
  after: number
  signal: AbortSignal
  onError: (error: unknown) => void
  pageRows?: number
}): AsyncGenerator<StoredLabel> {
  const { store, signal, onError, pageRows = feedPageRows } = options
  let position = options.after
  let changed = Promise.withResolvers<void>()
  const wake = (): void => changed.resolve()
  const stop = store.onChange(wake)
  signal.addEventListener('abort', wake)
  try {
    while (!signal.aborted) {
      // Armed before the read: a change that commits meanwhile wakes the wait below.
      changed = Promise.withResolvers<void>()
      if (signal.aborted) return
      const page = await readPatiently(() => store.after(position, pageRows), { signal, onError })
      for (const label of page ?? []) {
        if (label.seq <= position) throw backwards(onError)
        position = label.seq
        yield label
      }
      if (page !== undefined && page.length < pageRows) await changed.promise
    }
  } finally {
    signal.removeEventListener('abort', wake)
    stop()
  }
}

/** xrpc-server turns what a stream throws into a frame and tells nobody here, so it is reported first. */
function backwards(onError: (error: unknown) => void): FatalError {
  const error = new FatalError('the label stream went backwards')
  onError(error)
  return error
}

/** Asks until it is answered; undefined when `signal` aborted first. */
export async function readPatiently<T>(
  read: () => Promise<T>,
  options: { signal: AbortSignal; onError: (error: unknown) => void },
): Promise<T | undefined> {
  while (!options.signal.aborted) {
    try {
      return await read()
    } catch (error) {
      options.onError(error)
      await sleep(feedRetryMs, undefined, { signal: options.signal }).catch(() => undefined)
    }
  }
  return undefined
}
