// What /action takes and gives.
import { z } from '@hono/zod-openapi'
import { requestStates } from '../../cases/requests.ts'
import { requestKinds } from '../../steps/request-action.ts'
import { contentLimits } from './content-id.ts'

export const actionLimits = {
  jsonBytesMax: 64 * 1024,
  batchBytesMax: 1024 * 1024,
  batchItemsMax: 100,
  /** A batch may have to read a record for each of its actions. */
  batchMs: 45_000,
  idCharsMax: 128,
  matchIdCharsMax: 64,
} as const

export const noControl = 'holds control characters'
/** What Postgres and people can read. */
export const plainText = /^[^\p{Cc}\p{Cs}]*$/u

export const actionIdSchema = z
  .string()
  .min(1)
  .max(actionLimits.idCharsMax)
  .regex(/^[!-~]+$/, 'has to be of printable ASCII without blanks')
  .openapi({
    description: "The caller's own: the same id with the same words is the same request.",
  })

export const actionSchema = z
  .object({
    action_id: actionIdSchema,
    action_type: z.enum(requestKinds),
    content_id: z
      .string()
      .min(1)
      .max(contentLimits.idCharsMax)
      .regex(plainText, noControl)
      .openapi({
        description:
          'The at:// address of a record, did/cid, the CID of a blob that was seen here, or the content_id of a webhook.',
      }),
    match_info: z
      .looseObject({
        match_id: z.string().min(1).max(actionLimits.matchIdCharsMax).regex(plainText, noControl),
      })
      .optional()
      .openapi({ description: 'A match as /match told it. Not needed for a review.' }),
  })
  .openapi('ActionRequest')

export const acceptedSchema = z
  .object({
    action_id: z.string(),
    action_type: z.enum(requestKinds),
    status: z.literal('accepted'),
    result: z.enum(['requested', 'review-opened', 'draft-opened']).openapi({
      description:
        'requested: our own scan decides. review-opened, draft-opened: a person has a case; nothing was reported to anybody.',
    }),
    case: z.int().optional(),
    status_url: z.string(),
  })
  .openapi('ActionAccepted')

export const batchItemSchema = z
  .object({
    action_id: z.string(),
    status: z.enum(['accepted', 'refused', 'not-now']),
    accepted: acceptedSchema.optional(),
    detail: z.string().optional(),
    code: z.string().optional(),
  })
  .openapi('ActionBatchItem')

export const stateSchema = z
  .object({
    action_id: z.string(),
    action_type: z.enum(requestKinds),
    requested_at: z.string(),
    status: z.enum(requestStates).openapi({
      description:
        'Of all places together. accepted: still under way. held: a person decides, see `case`. released: a person said no. observed: this deployment or bank only looks.',
    }),
    case: z.int().optional(),
    places: z.array(
      z.object({
        cid: z.string(),
        record: z.string().optional().openapi({ description: 'collection/rkey.' }),
        status: z.enum(requestStates),
        reason: z.string().optional(),
        case: z.int().optional(),
      }),
    ),
  })
  .openapi('ActionState')
