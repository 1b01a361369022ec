// How large a request's body may be. Hono's own `bodyLimit` fails on every body without a Content-Length here (chunked ones,
// and a DELETE without any), because it builds the global Request from that of the node server.
import type { Context, MiddlewareHandler } from 'hono'
import { HTTPException } from 'hono/http-exception'

export function limitBody({
  maxSize,
  onError,
}: {
  maxSize: number
  onError: (context: Context) => Response
}): MiddlewareHandler {
  return async (context, next) => {
    const length = context.req.header('content-length')
    if (length !== undefined && context.req.header('transfer-encoding') === undefined)
      return Number(length) > maxSize ? onError(context) : next()
    const { body, headers } = context.req.raw
    if (body === null) return next()
    let size = 0
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.byteLength
        if (size > maxSize) throw new HTTPException(413)
        controller.enqueue(chunk)
      },
    })
    context.req.raw = new Request(context.req.url, {
      method: context.req.method,
      headers,
      body: body.pipeThrough(counting),
      duplex: 'half',
    })
    await next()
    // Whoever reads a body that breaks off may say something else about it.
    if (size > maxSize) context.res = onError(context)
    return undefined
  }
}
