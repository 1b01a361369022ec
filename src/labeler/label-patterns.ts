// The URI patterns of com.atproto.label.queryLabels: a full URI, or a prefix that ends in `*`.
import { UsageError } from '../domain/errors.ts'

export type UriPattern = { kind: 'exact'; uri: string } | { kind: 'prefix'; prefix: string }

/** Throws UsageError when a `*` stands anywhere but at the end. */
export function parseUriPattern(text: string): UriPattern {
  const star = text.indexOf('*')
  if (star === -1) return { kind: 'exact', uri: text }
  if (star !== text.length - 1) throw new UsageError('a uriPattern may hold one *, at its end')
  return { kind: 'prefix', prefix: text.slice(0, -1) }
}

/** The pattern for SQL `like` with its standard escape character. */
export function likePattern(pattern: UriPattern): string {
  switch (pattern.kind) {
    case 'exact':
      return escapeLike(pattern.uri)
    case 'prefix':
      return `${escapeLike(pattern.prefix)}%`
    default:
      return pattern satisfies never
  }
}

export function matchesPattern(pattern: UriPattern, uri: string): boolean {
  return pattern.kind === 'exact' ? uri === pattern.uri : uri.startsWith(pattern.prefix)
}

function escapeLike(text: string): string {
  return text.replaceAll(/[\\%_]/g, (character) => `\\${character}`)
}
