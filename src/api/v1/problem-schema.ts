// How every refusal looks (RFC 9457).
import { z } from '@hono/zod-openapi'

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string().optional(),
    code: z.string().optional(),
    requestId: z.string().optional(),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .openapi('Problem')

const sentences = {
  400: 'The body cannot be read.',
  401: 'No key, or one that does not open.',
  403: 'The key lacks the scope.',
  404: 'There is no such thing.',
  408: 'The body did not arrive in time.',
  409: 'It contradicts what is there.',
  410: 'What was asked for is not kept any more.',
  413: 'Too large.',
  415: 'Not a type of body that this takes.',
  422: 'A field is not as it has to be; `detail` and `errors` say which.',
  429: 'Too often; see Retry-After.',
  500: 'Our fault; the log has it under `requestId`.',
  501: 'Not offered here.',
  503: 'Not now; see Retry-After.',
} as const

type Refusal = {
  description: string
  content: { 'application/problem+json': { schema: typeof problemSchema } }
}

/** The refusals of a route, for its `responses`. 401, 403, 429 and 500 belong to all. */
export function refusals<const Status extends keyof typeof sentences>(
  ...statuses: Status[]
): Record<Status | 401 | 403 | 429, Refusal> {
  const all: (keyof typeof sentences)[] = [401, 403, 429, 500, ...statuses]
  // Whatever reads JSON asks for its type.
  if (all.includes(400)) all.push(415)
  const content = { 'application/problem+json': { schema: problemSchema } }
  const entries = all.map((status) => [status, { description: sentences[status], content }])
  return Object.fromEntries(entries) as Record<Status | 401 | 403 | 429, Refusal>
}
