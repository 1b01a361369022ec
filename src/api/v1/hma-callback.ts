// POST /webhook/hma-callback: what the integration guide lets an HMA server call. Nothing needs it here: hashes are
// compared in this process (decision 0052), so the answer says so instead of taking what would lead to nothing.
import { createRoute } from '@hono/zod-openapi'
import type { ApiApp } from './app.ts'
import { refusals } from './problem-schema.ts'
import { refuse } from './refuse.ts'

const callbackRoute = createRoute({
  method: 'post',
  path: '/webhook/hma-callback',
  description: 'Not offered: no HMA server is asked, so none has to call back.',
  responses: refusals(501),
})

export function addHmaCallback(app: ApiApp): void {
  app.openapi(callbackRoute, (context) =>
    refuse(
      context,
      501,
      'Blobwatch compares hashes itself and asks no HMA server. Announce uploads at /api/v1/webhook/atproto-callback of the public listener.',
      'not-offered',
    ),
  )
}
