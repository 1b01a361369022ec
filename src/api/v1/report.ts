// POST /report: what a user says about a content.
//
// Promises: every report gets the same answer, and the same is done for it, whatever matches or is known: nobody can try
// pictures against the banks through it. It is kept for a person, and what it names is scanned like an announced upload.
import { randomBytes } from 'node:crypto'
import { createRoute, z } from '@hono/zod-openapi'
import { emptyBatch } from '../../domain/batch.ts'
import type { SourceBatch } from '../../domain/batch.ts'
import { readUpload, recordOf } from '../../sources/webhook-payload.ts'
import { reportUser } from '../../steps/report-user.ts'
import { needs } from '../access.ts'
import type { ApiParts } from '../open-apis.ts'
import { noControl, plainText } from './action-schema.ts'
import type { ApiApp } from './app.ts'
import { jsonBody } from './app.ts'
import { contentOf } from './content-id.ts'
import { refusals } from './problem-schema.ts'
import { intakeStopped, refuseForNow } from './refuse.ts'

export const reportLimits = {
  jsonBytesMax: 64 * 1024,
  contentIdCharsMax: 512,
  urlCharsMax: 2_048,
  reasonCharsMax: 2_000,
} as const

const reportRoute = createRoute({
  method: 'post',
  path: '/report',
  description: 'A user reports a content.',
  middleware: [needs('report'), jsonBody(reportLimits.jsonBytesMax)],
  request: {
    body: {
      required: true,
      content: {
        'application/json': {
          schema: z.object({
            contentId: z
              .string()
              .min(1)
              .max(reportLimits.contentIdCharsMax)
              .regex(plainText, noControl),
            imageUrl: z
              .url({ protocol: /^https?$/ })
              .max(reportLimits.urlCharsMax)
              .optional(),
            reportReason: z
              .string()
              .min(1)
              .max(reportLimits.reasonCharsMax)
              // New lines and tabs are what people write; nothing else that is not to be seen.
              .regex(/^(?:[^\p{Cc}\p{Cs}]|[\n\r\t])*$/u, noControl),
          }),
        },
      },
    },
  },
  responses: {
    202: {
      description: 'Always this.',
      content: {
        'application/json': {
          schema: z
            .object({ action: z.literal('received'), report_id: z.string() })
            .openapi('ReportReceived'),
        },
      },
    },
    ...refusals(400, 413, 422, 503),
  },
})

export function addReportRoutes(app: ApiApp, { parts, health }: ApiParts): void {
  const { db, clock, others, bells } = parts
  app.openapi(reportRoute, async (context) => {
    if (!health.intakeAllowed()) return refuseForNow(context, intakeStopped)
    const { contentId, imageUrl, reportReason } = context.req.valid('json')
    const id = `r_${randomBytes(12).toString('base64url')}`
    const { principal } = context.get('access')
    const named = await placesOf({ contentId, imageUrl }, parts, context.req.raw.signal)
    await reportUser(db, {
      ...{ id, principal, contentId, reason: reportReason, others, nowMs: clock() },
      did: named.sightings[0]?.did ?? named.urls[0]?.did ?? recordOf(contentId)?.did,
      batch: { ...emptyBatch(), ...named },
    })
    bells.scan.ring()
    bells.url.ring()
    bells.ledger.ring()
    return context.json({ action: 'received' as const, report_id: id }, 202)
  })
}

/** As a webhook's: an address is only looked at where the report says whose it is. Nothing is asked of other hosts here. */
async function placesOf(
  { contentId, imageUrl }: { contentId: string; imageUrl: string | undefined },
  parts: ApiParts['parts'],
  signal: AbortSignal,
): Promise<Pick<SourceBatch, 'sightings' | 'urls'>> {
  const parsed = readUpload({ content_id: contentId, image_url: imageUrl })
  if (parsed.kind === 'callback') {
    const sightings = parsed.sightings.map((one) => ({ ...one, source: 'api' as const }))
    // What a caller calls an upload is the webhook's to say.
    return { sightings, urls: parsed.urls.map(({ did, url }) => ({ did, url })) }
  }
  const content = contentId.startsWith('at://')
    ? undefined
    : await contentOf(contentId, parts, signal)
  return { sightings: content?.kind === 'places' ? content.places : [], urls: [] }
}
