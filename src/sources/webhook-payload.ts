// What an authenticated callback says. Its fields are those of the seed integration guide: `event_type`, `content_id`,
// `image_url`, `did`, `cid`.
import { parseCidSafe } from '@atproto/lex-data'
import { isValidDid, isValidNsid, isValidRecordKey } from '@atproto/syntax'
import type { SourceBatch } from '../domain/batch.ts'
import type { Did, Sighting } from '../domain/blob.ts'
import { blobOfUrl } from './blob-url.ts'

/** Characters at most, by field. A DID may have 2,048 (https://atproto.com/specs/did). */
export const fieldCharsMax = { content_id: 512, image_url: 2_048, did: 2_048, cid: 128 } as const
type Field = keyof typeof fieldCharsMax

export type Callback = {
  kind: 'callback'
  contentId?: string
  sightings: Sighting[]
  urls: SourceBatch['urls']
}

export type Refused = { kind: 'refused'; status: 400 | 422; sentence: string }

/** The sentences name fields and rules, never what was sent. */
export function parseCallback(
  body: string,
): Callback | { kind: 'ignored'; sentence: string } | Refused {
  return orRefused(() => {
    const fields = jsonObject(body)
    if (fields.event_type === 'moderation_action') {
      return {
        kind: 'ignored' as const,
        sentence: 'moderation_action is known and nothing is done with it.',
      }
    }
    if (fields.event_type !== 'image_upload') {
      throw new Refusal('event_type has to be image_upload or moderation_action.')
    }
    return parseUpload(fields)
  })
}

/** The same fields from another door, already parsed as JSON. */
export function readUpload(fields: Record<string, unknown>): Callback | Refused {
  return orRefused(() => parseUpload(fields))
}

function orRefused<T>(parse: () => T): T | Refused {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { kind: 'refused', status: error.status, sentence: error.message }
  }
}

function parseUpload(fields: Record<string, unknown>): Callback {
  const contentId = textField(fields, 'content_id')
  const url = publicUrl(textField(fields, 'image_url'))
  const givenCid = canonicalCid(textField(fields, 'cid'))
  const named = url && blobOfUrl(url)
  const record = recordOf(contentId)

  const did = agreed('account', textField(fields, 'did'), named?.did, record?.did)
  if (did === undefined) {
    throw new Refusal('did is needed where neither image_url nor content_id names the account.')
  }
  if (!isValidDid(did)) throw new Refusal('did is not a DID.')
  const cid = agreed('blob', givenCid, named?.cid)

  const about = contentId === undefined ? {} : { contentId }
  if (cid !== undefined) {
    const place = record && { collection: record.collection, rkey: record.rkey }
    const sighting: Sighting = { did, blobCid: cid, source: 'webhook', ...place }
    return { kind: 'callback', ...about, sightings: [sighting], urls: [] }
  }
  if (url === undefined) throw new Refusal('cid or image_url is needed.')
  return { kind: 'callback', ...about, sightings: [], urls: [{ did, url: url.href, ...about }] }
}

/** Ends the parsing; never leaves this file. */
class Refusal extends Error {
  readonly status: 400 | 422
  constructor(sentence: string, status: 400 | 422 = 422) {
    super(sentence)
    this.status = status
  }
}

function jsonObject(body: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    throw new Refusal('The body is not JSON.', 400)
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>
  }
  throw new Refusal('The body is not a JSON object.', 400)
}

/** Absent, or a text that a database takes. */
function textField(fields: Record<string, unknown>, name: Field): string | undefined {
  const value = fields[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw new Refusal(`${name} has to be a text.`)
  if (value.length === 0 || value.length > fieldCharsMax[name]) {
    throw new Refusal(`${name} has to have 1 to ${fieldCharsMax[name]} characters.`)
  }
  if (/[\p{Cc}\p{Cs}]/u.test(value)) throw new Refusal(`${name} holds control characters.`)
  return value
}

function publicUrl(text: string | undefined): URL | undefined {
  if (text === undefined) return undefined
  const url = URL.parse(text)
  const web = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (url === null || !web || url.username !== '' || url.password !== '') {
    throw new Refusal('image_url has to be an http or https address without a user name.')
  }
  if (url.href.length > fieldCharsMax.image_url) throw new Refusal('image_url is too long.')
  return url
}

function canonicalCid(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  const cid = parseCidSafe(text)?.toString()
  if (cid === undefined) throw new Refusal('cid is not a CID.')
  return cid
}

/** The account and record of `at://did/collection/rkey`; undefined for any other id, which stays a mere id. */
export function recordOf(
  contentId: string | undefined,
): { did: Did; collection: string; rkey: string } | undefined {
  const [, did = '', collection = '', rkey = ''] =
    /^at:\/\/([^/]+)\/([^/]+)\/([^/]+)$/.exec(contentId ?? '') ?? []
  const valid = isValidDid(did) && isValidNsid(collection) && isValidRecordKey(rkey)
  return valid ? { did, collection, rkey } : undefined
}

/** What all that name it agree on. */
function agreed(what: string, ...names: (string | undefined)[]): string | undefined {
  const [first, ...others] = new Set(names.filter((name) => name !== undefined))
  if (others.length > 0) throw new Refusal(`The fields name more than one ${what}.`)
  return first
}
