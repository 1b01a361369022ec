// What most routes of resources say alike: pages, numbers in the path, and refusals that have a name.
import { z } from '@hono/zod-openapi'
import { isStorable } from '../../banks/content-words.ts'
import { UsageError } from '../../domain/errors.ts'

export const pageLimits = { rowsDefault: 50, rowsMax: 500 } as const

/** An answer with a JSON body. */
export function body<Schema extends z.ZodType>(description: string, schema: Schema) {
  return { description, content: { 'application/json': { schema } } }
}

/** The request's JSON body. */
export function takes<Schema extends z.ZodType>(schema: Schema) {
  return { required: true, content: { 'application/json': { schema } } }
}

/** A text that comes in: what the database cannot keep is refused here, with the field's name. */
export const text = z.string().refine(isStorable, 'holds U+0000 or half a character')

export const time = z.iso.datetime()
/** One that comes in: the database knows no year 0. */
export const givenTime = time.refine((at) => Date.parse(at) >= 0, 'is before 1970')
const wholeNumber = 'has to be a whole number'
const int4Max = 2_147_483_647
/** Of a case, a content, an appeal. */
export const number = z.coerce.number(wholeNumber).int(wholeNumber).min(1).max(int4Max)
export const bigNumber = z.coerce
  .number(wholeNumber)
  .int(wholeNumber)
  .min(0)
  .max(Number.MAX_SAFE_INTEGER)

/** Rows of a page. */
export function limitUpTo(rowsMax: number) {
  return z.coerce.number(wholeNumber).int(wholeNumber).min(1).max(rowsMax)
}

const notOurs = 'has to be the cursor of the page before, as it stands there'
/** `cursor` is what the page before said; what it means is ours. */
export const pageQuery = z.strictObject({
  limit: limitUpTo(pageLimits.rowsMax).default(pageLimits.rowsDefault),
  cursor: z.coerce.number(notOurs).int(notOurs).min(0).max(int4Max).optional(),
})

/** One row more than the page is read, to know whether there is more. */
export function paged<Row>(
  rows: readonly Row[],
  limit: number,
  cursorOf: (last: Row) => number,
): { rows: Row[]; cursor?: string } {
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  if (rows.length <= limit || last === undefined) return { rows: page }
  return { rows: page, cursor: String(cursorOf(last)) }
}

export const cursor = z.string().optional().openapi({ description: 'Absent on the last page.' })

/** Refused, with a status and a word for programs. The message is shown. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly status: 403 | 404 | 409 | 422
  readonly code: string
  constructor(status: 403 | 404 | 409 | 422, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** What a command says on a terminal, as the sentence of an answer. */
export function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}${/[.?!]$/.test(words) ? '' : '.'}`
}

/** What the work refuses as a mistake of the caller (UsageError) is this status, with its sentence. */
export async function orRefuse<T>(status: 404 | 409, code: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (error instanceof UsageError) throw new Refusal(status, code, error.message)
    throw error
  }
}
