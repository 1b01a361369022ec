// The words that clients keep with a content: `content_id`, `content_uri` and `json`, nothing else. Pure.
import { quoted, refuse } from './answers.ts'
import { isPlainObject } from './plain-object.ts'

const keys = ['content_id', 'content_uri', 'json'] as const
type Shown = Record<(typeof keys)[number], unknown>

/** As an object, or as the text of one in a form. undefined: none was given. */
export function readMetadata(given: unknown): object | undefined {
  const value = typeof given === 'string' ? parsed(given) : given
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value))
    refuse(400, 'metadata should be a json object')
  // HMA writes `collab` itself and drops what it is sent under that name.
  const { collab: _, ...rest } = value as Record<string, unknown>
  const kept = Object.entries(rest).filter(([, inner]) => inner !== null)
  for (const [key, inner] of kept) {
    const wrong = (what: string) => refuse(400, `Invalid metadata: ${quoted(key)}: ${what}`)
    if (!keys.some((known) => known === key)) wrong('Extra inputs are not permitted')
    if (key === 'json' && !isPlainObject(inner)) wrong('Input should be a valid dictionary')
    if (key !== 'json' && typeof inner !== 'string') wrong('Input should be a valid string')
  }
  return kept.length === 0 ? undefined : Object.fromEntries(kept)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return refuse(400, 'metadata form field must be valid JSON')
  }
}

/** What other doors keep with a content in words of their own comes out under `json`. */
export function metadataKept(
  stored: Record<string, unknown> | null,
): Record<string, unknown> | null {
  const isHmas = Object.keys(stored ?? {}).every((key) => keys.some((known) => known === key))
  return isHmas ? stored : { json: stored }
}

/** The same with all three, null where there is none. */
export function metadataShown(stored: Record<string, unknown> | null): Shown | undefined {
  const kept = metadataKept(stored)
  return kept === null ? undefined : { content_id: null, content_uri: null, json: null, ...kept }
}
