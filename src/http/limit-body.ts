// A body no longer than so many bytes, whatever it says about itself, read by whoever needs it and not before.
//
// Hono's own limiter reads a body without a length at once, before anybody knows whose it is, and makes a new Request of
// node-server's, which Node's refuses (its constructor knows only its own).
import type { Context, MiddlewareHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'

/** A longer one: `onError` where it is announced, an HTTPException of 413 to its reader where it is not. */
export function limitBody(options: {
  maxSize: number
  onError: (context: Context) => Response
}): MiddlewareHandler {
  const { maxSize } = options
  return async (context, next) => {
    const { raw, method } = context.req
    const length = context.req.header('content-length')
    const isChunked = context.req.header('transfer-encoding') !== undefined
    if (length !== undefined && !isChunked)
      return Number(length) > maxSize ? options.onError(context) : next()
    if (method === 'GET' || method === 'HEAD' || raw.body === null) return next()
    const init: RequestInit = {
      ...{ method, headers: raw.headers, signal: raw.signal, duplex: 'half' },
      body: raw.body.pipeThrough(counted(maxSize)),
    }
    context.req.raw = new Request(raw.url, init)
    return next()
  }
}

function counted(maxSize: number): TransformStream<Uint8Array, Uint8Array> {
  let size = 0
  return new TransformStream({
    transform(chunk, controller) {
      size += chunk.length
      if (size > maxSize) controller.error(new HTTPException(413))
      else controller.enqueue(chunk)
    },
  })
}
