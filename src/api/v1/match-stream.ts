// Lookups as a stream of lines (application/x-ndjson): one object in, one object out, in order.
//
// Promises: memory is bounded by a few hundred lines, however long the stream and however slow the caller: what is not
// read is not answered, and what is not answered is not read. A line that cannot be understood costs only itself. Key and
// banks are looked at anew every few hundred lines: a stream may last an hour.
import { errorMessage, RetryableError } from '../../domain/errors.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import { answerItems, parseItem } from './match-answer.ts'
import type { Answering, Caller, Item, ItemAnswer, Wrong } from './match-answer.ts'
import type { Asked } from './match-asked.ts'
import { matchLimits } from './match-schema.ts'

export const streamLimits = { lineCharsMax: 4_096, linesPerTurn: 512 } as const

/** undefined: its key opens this no more, or a bank that it named is gone; the stream ends. */
export type CallerNow = () => Promise<Caller | undefined>

type StreamOptions = {
  answering: Answering
  others: OtherTypes
  callerNow: CallerNow
  onEnd: () => void
  onError: (error: unknown) => void
}

export function answerLines(request: Request, options: StreamOptions): Response {
  const answers = answersTo(request, options)
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await answers.next()
        if (done === true) controller.close()
        else controller.enqueue(value)
      },
      async cancel() {
        await answers.return()
      },
    },
    { highWaterMark: 1 },
  )
  return new Response(body, {
    headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' },
  })
}

async function* answersTo(
  { body, signal }: Request,
  { answering, others, callerNow, onEnd, onError }: StreamOptions,
): AsyncGenerator<Uint8Array, void> {
  const answerNow = async (items: (Item & { asked: Asked | Wrong })[]) => {
    const caller = await callerNow()
    return caller && answerItems(items, answering, caller)
  }
  try {
    for await (const lines of linesOf(body ?? emptyBody())) {
      const items = lines.map((line) => parseLine(line, others))
      const answered = await answerNow(items).catch((error: unknown) => {
        if (!(error instanceof RetryableError)) onError(error)
        return items.map(notNow)
      })
      if (answered === undefined) return
      yield Buffer.from(answered.map((one) => `${JSON.stringify(one)}\n`).join(''))
    }
  } catch (error) {
    // The caller went away, or its time was over: nobody reads an answer.
    if (!signal.aborted) onError(new Error(`a stream of lookups ended: ${errorMessage(error)}`))
  } finally {
    onEnd()
  }
}

function emptyBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({ start: (controller) => controller.close() })
}

function notNow({ id, asked }: Item & { asked: Asked | Wrong }): ItemAnswer {
  const error = typeof asked === 'string' ? asked : 'not-now'
  return { ...(id !== undefined && { id }), match_count: 0, matches: [], error }
}

function parseLine(line: string | undefined, others: OtherTypes): Item & { asked: Asked | Wrong } {
  if (line === undefined) return { asked: 'too-long' }
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return { asked: 'not-json' }
  }
  if (typeof value !== 'object' || value === null) return { asked: 'not-json' }
  const { id, ...fields } = value as Record<string, unknown>
  if (id === undefined || id === null) return parseItem(fields, others)
  if (!isId(id)) return { asked: 'id' }
  return parseItem({ id, ...fields }, others)
}

function isId(id: unknown): id is string | number {
  return typeof id === 'string' ? id.length <= matchLimits.idCharsMax : Number.isSafeInteger(id)
}

/** At most so many lines at a time; undefined: one that is too long, whose text is not kept. */
export async function* linesOf(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<(string | undefined)[]> {
  const { lineCharsMax, linesPerTurn } = streamLimits
  const decoder = new TextDecoder()
  let rest = ''
  let isTooLong = false
  for await (const chunk of body) {
    const pieces = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = pieces.pop() ?? ''
    const lines = pieces.map((line, n) => {
      const wasCut = n === 0 && isTooLong
      return wasCut || line.length > lineCharsMax ? undefined : line
    })
    if (pieces.length > 0) isTooLong = false
    if (rest.length > lineCharsMax) {
      isTooLong = true
      rest = ''
    }
    for (let at = 0; at < lines.length; at += linesPerTurn) yield lines.slice(at, at + linesPerTurn)
  }
  if (isTooLong) yield [undefined]
  else if (rest !== '') yield [rest]
}
