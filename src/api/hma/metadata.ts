// The words that clients keep with a content: `content_id`, `content_uri` and `json`, nothing else. Pure.
import { quoted, refuse } from './answers.ts'

const keys = ['content_id', 'content_uri', 'json'] as const
type Shown = Record<(typeof keys)[number], unknown>

/** As an object, or as the text of one in a form. undefined: none was given. */
export function readMetadata(given: unknown): object | undefined {
  const value = typeof given === 'string' ? parsed(given) : given
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) refuse(400, 'metadata must be an object')
  // HMA writes `collab` itself and drops what it is sent under that name.
  const { collab: _, ...rest } = value as Record<string, unknown>
  for (const [key, inner] of Object.entries(rest)) {
    if (!keys.some((known) => known === key))
      refuse(400, `metadata: ${quoted(key)}: Extra inputs are not permitted`)
    if (key !== 'json' && inner !== null && typeof inner !== 'string')
      refuse(400, `metadata: ${quoted(key)}: Input should be a valid string`)
  }
  return Object.keys(rest).length === 0 ? undefined : rest
}

function parsed(text: string): unknown {
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text) as unknown
  } catch {
    return refuse(400, 'metadata must be valid JSON')
  }
}

/** What other doors keep with a content in words of their own comes out under `json`. */
export function metadataShown(stored: Record<string, unknown> | null): Shown | undefined {
  if (stored === null) return undefined
  const isHmas = Object.keys(stored).every((key) => keys.some((known) => known === key))
  const { content_id = null, content_uri = null, json = null } = isHmas ? stored : { json: stored }
  return { content_id, content_uri, json }
}
