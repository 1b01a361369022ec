// A body no longer than so many bytes, whatever it says about itself, read by whoever needs it and not before.
//
// Hono's own limiter reads a body without a length at once, before anybody knows whose it is, and makes a new Request of
// node-server's, which Node's refuses (its constructor knows only its own).
import type { Context, MiddlewareHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { problem } from './problem.ts'

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
    let size = 0
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.length
        if (size > maxSize) controller.error(new HTTPException(413))
        else controller.enqueue(chunk)
      },
    })
    const init: RequestInit = {
      ...{ method, headers: raw.headers, signal: raw.signal, duplex: 'half' },
      body: raw.body.pipeThrough(counting),
    }
    context.req.raw = new Request(raw.url, init)
    await next()
    // Whoever reads a body that breaks off may have said something else about it.
    if (size > maxSize && context.res.status !== 413) context.res = options.onError(context)
    return undefined
  }
}

/** The same, with a problem that says how much there may be. */
export function boundedTo(maxSize: number): MiddlewareHandler {
  return limitBody({
    maxSize,
    onError: (context) =>
      problem(context, 413, {
        detail: `The body has more than ${maxSize} bytes. Send less at once.`,
        code: 'too-large',
      }),
  })
}
