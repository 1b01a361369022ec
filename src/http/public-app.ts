// What the world may see: who the labeler is, that we are alive, and the doors given to us from outside (webhooks).
// Nothing here reads the database or tells about banks, matches or cases (promise 9).
import { Hono } from 'hono'
import type { Did } from '../domain/blob.ts'
import { boundedTo } from './limit-body.ts'
import { addBasics, problem } from './problem.ts'
import type { App, AppVariables, OnAppError } from './problem.ts'
import { didWebDocument } from './did-document.ts'

export const publicBodyBytesMax = 1024 * 1024

export function createPublicApp(options: {
  version: string
  /** Set when labels are signed here. */
  labeler?: { did: Did; keyDid: string; publicUrl: string }
  /** Sub-apps and the path each is served under, for example the webhook's. */
  mounts?: { path: string; app: Hono }[]
  onError: OnAppError
}): App {
  const app = new Hono<AppVariables>()
  addBasics(app, options.onError)
  app.use(boundedTo(publicBodyBytesMax))
  app.get('/', (context) => context.text(welcome(options.version)))
  app.get('/robots.txt', (context) => context.text('User-agent: *\nDisallow: /\n'))
  app.get('/xrpc/_health', (context) => context.json({ version: options.version }))
  const document = options.labeler && didWebDocument(options.labeler)
  if (document !== undefined) {
    app.get('/.well-known/did.json', (context) => {
      context.header('access-control-allow-origin', '*')
      context.header('cache-control', 'public, max-age=300')
      return context.json(document)
    })
  }
  for (const { path, app: mounted } of options.mounts ?? []) app.route(path, mounted)
  // Whoever has one address for the whole API came to the wrong door.
  app.all('/api/*', (context) =>
    problem(context, 404, {
      detail:
        'The API is on the private listener (BLOBWATCH_PRIVATE_PORT). Here is the signed webhook.',
      code: 'no-such-route',
    }),
  )
  return app
}

function welcome(version: string): string {
  return [
    `Blobwatch ${version}`,
    '',
    'A moderation service for the AT Protocol (https://atproto.com).',
    'Programs find its methods under /xrpc/. There is nothing to browse here.',
    '',
  ].join('\n')
}
