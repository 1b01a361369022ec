// The XRPC server: limits on what comes in, one place that sees every error, no details in answers.
// Crashing leaves nothing behind: it holds no state.
import { XRPCError, createServer } from '@atproto/xrpc-server'
import type { Server } from '@atproto/xrpc-server'
import { lexiconDocs } from './lexicons.ts'

export const xrpcJsonBytesMax = 100 * 1024
export const xrpcTextBytesMax = 100 * 1024

/** `onError` hears of answers with status 500 and above only; what a caller did wrong is the caller's to read. */
export function createXrpc(options: { onError: (error: unknown) => void }): Server {
  const xrpc = createServer(lexiconDocs, {
    validateResponse: true,
    payload: { jsonLimit: xrpcJsonBytesMax, textLimit: xrpcTextBytesMax, blobLimit: 0 },
    errorParser(error) {
      const parsed = XRPCError.fromError(error)
      if (parsed.statusCode >= 500) options.onError(error)
      return parsed
    },
  })
  xrpc.router.disable('x-powered-by')
  return xrpc
}
