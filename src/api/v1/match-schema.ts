// What /match and its batches take and give.
import { z } from '@hono/zod-openapi'
import { signalTypes } from '../../domain/blob.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import { bankNameCharsMax } from '../../domain/bank.ts'

export const matchLimits = {
  jsonBytesMax: 16 * 1024,
  batchBytesMax: 4 * 1024 * 1024,
  batchItemsMax: 20_000,
  banksMax: 100,
  /** Told of one hash; `match_count` counts all. */
  told: 100,
  toldInBatch: 10,
  idCharsMax: 128,
  valueCharsMax: 128,
} as const

/** Ours, and those of the plug-ins that this server has. */
export function typeSchema(others: OtherTypes) {
  return z.enum([...signalTypes, ...others.keys()])
}

export function hashFields(others: OtherTypes) {
  return {
    hash_value: z.string().max(matchLimits.valueCharsMax).openapi({ description: 'Hexadecimal.' }),
    hash_type: typeSchema(others),
    quality: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .openapi({ description: 'Of PDQ, as /hash gave it; under 50 nothing is compared.' }),
  }
}

export const choiceFields = {
  threshold: z.number().min(0).max(1).optional().openapi({
    description:
      'For pdq, clip and types of plug-ins: at most floor((1 - threshold) * bits) apart, and never farther than the bank, or the plug-in, allows. Exact types ignore it.',
  }),
  banks: z
    .array(z.string().max(bankNameCharsMax))
    .min(1)
    .max(matchLimits.banksMax)
    .optional()
    .openapi({ description: 'Only these.' }),
}

export const matchSchema = z
  .object({
    match_id: z.string().openapi({ description: 'What /action asks for; kept for 30 days.' }),
    bank_name: z.string().openapi({
      description:
        'A restricted bank is named to keys with bank:read, to others it is `restricted`.',
    }),
    hash_type: z.string().openapi({ description: 'As it was asked.' }),
    content: z.int().optional().openapi({ description: 'Where the bank is named.' }),
    distance: z.int().optional().openapi({ description: 'Bits; for keys with match:distance.' }),
    similarity: z.number().min(0).max(1).optional(),
  })
  .openapi('Match')

export const answerFields = {
  match_count: z.int(),
  matches: z.array(matchSchema).openapi({ description: 'The first of them, if there are many.' }),
}

export const itemErrors = [
  'not-json',
  'too-long',
  'hash-type',
  'hash-value',
  'quality',
  'id',
  'not-now',
] as const

export const idSchema = z.union([z.string().max(matchLimits.idCharsMax), z.int()])

export const itemSchema = z
  .object({
    id: idSchema.optional().openapi({ description: 'As it was sent.' }),
    ...answerFields,
    error: z
      .enum(itemErrors)
      .optional()
      .openapi({ description: 'Why this one was not looked up.' }),
  })
  .openapi('BatchItem')
