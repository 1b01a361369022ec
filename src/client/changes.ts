// The states of blobs as they change: server-sent events that outlive their connection.
import { ApiError, ConnectionError } from './errors.ts'
import { objectIn, parseJson } from './exchange.ts'
import { serverEvents } from './lines.ts'
import type { Requester } from './request.ts'
import type { BlobChange } from './blobwatch-types.ts'

export type ChangesOptions = {
  /** The position of the last change that was dealt with. Without one it begins at now. */
  after?: string | number | undefined
  /** Ends the loop, with its own reason. */
  signal?: AbortSignal | undefined
  /** Silence after which the connection is made anew. 90 seconds unless given; the service sends comments in between. */
  idleMs?: number | undefined
}

const idleMsDefault = 90_000
const name = 'GET /blobs/changes'

/**
 * A change is given once it is complete, and the next connection begins after it: none is left out. What the caller had not
 * dealt with when their process ended comes again from the position they kept. 410: what came after it is not kept any more;
 * ask for your blobs in batches and begin anew. Throws what the service refuses (ApiError but
 * 408, 429 and 503), and never because a connection was lost: that is tried again for as long as the loop runs.
 */
export async function* changes(
  requester: Requester,
  { after, signal, idleMs = idleMsDefault }: ChangesOptions = {},
): AsyncGenerator<BlobChange> {
  let position = after === undefined ? undefined : String(after)
  for (let failures = 0; ; failures++) {
    try {
      const stream = requester.stream(
        {
          name,
          method: 'GET',
          path: '/api/v1/blobs/changes',
          query: { after: position },
          accept: 'text/event-stream',
          repeatable: true,
        },
        { timeoutMs: idleMs, ...(signal && { signal }) },
      )
      for await (const event of serverEvents(name, stream)) {
        failures = 0
        position = event.id ?? position
        if (event.data === undefined) continue
        // A change without a number could not be gone on from.
        if (position === undefined) throw new ConnectionError(name, 'bad-answer')
        const change = objectIn({ name }, parseJson({ name }, event.data))
        yield { ...(change as Omit<BlobChange, 'position'>), position }
      }
    } catch (error) {
      if (!mayPass(error)) throw error
    }
    // Also after an orderly end: a service that restarts closes its streams.
    await requester.pause(failures, signal)
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof ApiError) return [408, 429, 503].includes(error.status)
  return error instanceof ConnectionError && error.fault !== 'bad-answer'
}
