// /h: hashes of a file, by its address or as an upload.
import { isForm } from './body.ts'
import { refuse } from './answers.ts'
import { readFields } from './lax.ts'
import type { Media } from './media.ts'
import type { HmaRoute } from './route.ts'

export function hashingRoutes({ media }: { media: Media }): HmaRoute[] {
  const shared = { rule: '/h/hash', role: 'hasher', needs: 'scan' } as const
  return [
    {
      ...shared,
      method: 'GET',
      about: 'Fetch content and return its hashes',
      query: ['url', 'content_type', 'types'],
      async answer(context) {
        const query = context.req.query()
        readFields(query, { url: { kind: 'text', required: true } })
        return context.json(await media.fromUrl(context, query))
      },
    },
    {
      ...shared,
      method: 'POST',
      about: 'Hash an uploaded file; the name of its field is its content type',
      query: ['types'],
      body: 'form',
      async answer(context) {
        if (!isForm(context)) refuse(400, 'Missing multipart/form-data file upload')
        const { hashes } = await media.fromForm(context, context.req.query())
        return context.json(hashes)
      },
    },
  ]
}
