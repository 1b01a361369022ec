// Array types known from the start. `postgres` would otherwise ask each new connection for the server's types, and a
// connection that is cut at that moment ends the process with an error that nobody can catch (3.4.9, fetchArrayTypes).
// Literals: https://www.postgresql.org/docs/18/arrays.html#ARRAYS-IO. One dimension is all that we use.

type Item = string | number | null

/** text[]: `{"a","b"}`. */
export const textArray = {
  to: 1009,
  from: [1009],
  serialize: (items: readonly Item[]) => arrayLiteral(items),
  parse: (text: string) => parseArray(text),
}

/** integer[] and bigint[]. */
export const integerArray = {
  to: 1007,
  from: [1007, 1016],
  serialize: (items: readonly Item[]) => arrayLiteral(items),
  parse: (text: string) => parseArray(text).map((item) => (item === null ? null : Number(item))),
}

export function arrayLiteral(items: readonly Item[]): string {
  const quoted = items.map((item) =>
    item === null ? 'NULL' : `"${String(item).replaceAll(/["\\]/g, String.raw`\$&`)}"`,
  )
  return `{${quoted.join(',')}}`
}

export function parseArray(text: string): (string | null)[] {
  const items = text.slice(1, -1).matchAll(/"((?:[^"\\]|\\.)*)"|([^",]+)/gs)
  return [...items].map(([, quoted, bare]) => {
    if (quoted !== undefined) return quoted.replaceAll(/\\(.)/gs, '$1')
    return bare === 'NULL' ? null : (bare ?? '')
  })
}
