// Browsers ask labelers directly, so the public label methods answer any origin. They take no credentials.
import type { IncomingMessage, ServerResponse } from 'node:http'

const openPaths = '/xrpc/com.atproto.label.'
const preflightSeconds = 86_400

/** Sets the headers where they belong; true when the request was a preflight and is answered. */
export function allowBrowsers(
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): boolean {
  if (!path.startsWith(openPaths)) return false
  response.setHeader('access-control-allow-origin', '*')
  if (request.method !== 'OPTIONS') return false
  response.setHeader('access-control-allow-methods', 'GET')
  response.setHeader('access-control-allow-headers', 'atproto-accept-labelers, content-type')
  response.setHeader('access-control-max-age', String(preflightSeconds))
  response.writeHead(204).end()
  return true
}
