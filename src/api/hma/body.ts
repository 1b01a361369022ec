// The bodies of requests: read whole within a size, while all of them together stay within a budget.
//
// Promises: a body that says it is too large is refused before a byte of it is read; one that lies is cut; the memory of
// all open bodies is bounded, and whoever comes beyond that is told to come again.
import type { Context } from 'hono'
import { boundaryOf, countParts } from '../form-boundary.ts'
import { HmaRefusal, refuse, refuseForNow } from './answers.ts'

export const bodyLimits = {
  jsonBytesMax: 64 * 1024,
  /** What a form adds to the file that it carries. */
  formSlackBytes: 64 * 1024,
  inFlightBytesMax: 256 * 1024 * 1024,
  formFieldsMax: 10,
} as const

export type BodyReader = {
  /** `work` runs while the bytes count as held. */
  read<T>(
    context: Context,
    bytesMax: number,
    work: (bytes: Buffer<ArrayBuffer>) => Promise<T>,
  ): Promise<T>
}

export function createBodyReader(
  inFlightBytesMax: number = bodyLimits.inFlightBytesMax,
): BodyReader {
  let inFlight = 0
  return {
    async read(context, bytesMax, work) {
      const declared = Number(context.req.header('content-length') ?? bytesMax)
      if (!(declared <= bytesMax)) tooLarge()
      // What came counts, not what is announced: who announces much and sends nothing keeps nobody out.
      let held = 0
      const hold = (size: number) => {
        if (inFlight + size > inFlightBytesMax) refuseForNow('too many uploads at once')
        inFlight += size
        held += size
      }
      try {
        return await work(await readWhole(context, declared, hold))
      } finally {
        inFlight -= held
      }
    },
  }
}

async function readWhole(
  context: Context,
  bytesMax: number,
  hold: (size: number) => void,
): Promise<Buffer<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of context.req.raw.body ?? []) {
    size += chunk.length
    if (size > bytesMax) tooLarge()
    hold(chunk.length)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(): never {
  throw new HmaRefusal(413, { message: 'Content too large' })
}

/** Of an endpoint that reads `request.json`: 415 without the content type, 400 for what is no JSON. */
export async function readJson(
  context: Context,
  bodies: BodyReader,
  otherwise = 'Request body must be a JSON object',
): Promise<Record<string, unknown>> {
  if (!isJson(context)) {
    refuse(
      415,
      "Did not attempt to load JSON data because the request Content-Type was not 'application/json'.",
    )
  }
  const value = await parse(context, bodies)
  if (value === notJson) notUnderstood()
  return asObject(value) ?? refuse(400, otherwise)
}

/** Of an endpoint with a declared model: undefined for what is no JSON, which is the model's own 422. */
export async function readModel(context: Context, bodies: BodyReader): Promise<unknown> {
  const value = isJson(context) ? await parse(context, bodies) : undefined
  return value === notJson ? undefined : value
}

/** Where a body may be missing: JSON that is no object counts as none. */
export async function readJsonIfAny(
  context: Context,
  bodies: BodyReader,
): Promise<Record<string, unknown>> {
  const value = isJson(context) ? await parse(context, bodies) : undefined
  return value === notJson ? notUnderstood() : (asObject(value) ?? {})
}

function notUnderstood(): never {
  refuse(400, 'The browser (or proxy) sent a request that this server could not understand.')
}

const notJson = Symbol('not JSON')

async function parse(context: Context, bodies: BodyReader): Promise<unknown> {
  return bodies.read(context, bodyLimits.jsonBytesMax, async (bytes) => {
    try {
      // As Python reads it, whatever a Windows client puts before it.
      return JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, '')) as unknown
    } catch {
      return notJson
    }
  })
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : undefined
}

function isJson(context: Context): boolean {
  return /^application\/([\w.-]+\+)?json\b/i.test(context.req.header('content-type') ?? '')
}

export function isForm(context: Context): boolean {
  return /^multipart\/form-data\b/i.test(context.req.header('content-type') ?? '')
}

export type Form = { files: { field: string; file: File }[]; texts: Map<string, string> }

export async function parseForm(context: Context, bytes: Buffer<ArrayBuffer>): Promise<Form> {
  // The platform makes an object of every part before anybody can say stop: a form of 40 MB can have most of a million.
  const boundary = boundaryOf(context.req.header('content-type') ?? '')
  if (boundary === undefined || boundary.includes('\\')) return noUpload()
  // The end of the form looks like one more.
  const tooMany = bodyLimits.formFieldsMax + 2
  if (countParts(bytes, boundary, tooMany) === tooMany) refuse(400, 'Too many form fields')
  const headers = { 'content-type': `multipart/form-data; boundary="${boundary}"` }
  const form: Form = { files: [], texts: new Map() }
  for (const [field, value] of await formOf(bytes, headers)) {
    if (typeof value === 'string') form.texts.set(field, value)
    else form.files.push({ field, file: value })
  }
  return form
}

async function formOf(bytes: Buffer<ArrayBuffer>, headers: Record<string, string>) {
  try {
    return await new Response(bytes, { headers }).formData()
  } catch {
    return noUpload()
  }
}

function noUpload(): never {
  return refuse(400, 'Missing multipart/form-data file upload')
}
