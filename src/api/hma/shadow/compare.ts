// Two answers to one call, and in which way they differ. Pure.
//
// Promises: what comes out names banks, types, counts and distances, never a signal, an address or anything else that was sent
// (promise 8). The numbers of contents are each system's own and are not compared.

export type Call = { method: string; path: string; query: URLSearchParams }
export type Reply = { status: number; body: string }

/**
 * `unseeded`: a whole bank is missing on one side, and without a seed both draw for themselves. `index-lag`: one side does not
 * know yet what the other knows.
 */
export const reasons = [
  'status',
  'index-lag',
  'hash',
  'hash: low quality',
  'ours-has-more',
  'ours-has-more: unseeded',
  'ours-has-less',
  'ours-has-less: unseeded',
  'distance',
  'body',
] as const
export type Reason = (typeof reasons)[number]

export type Difference = { reason: Reason; theirs: unknown; ours: unknown }

/** Only these are asked twice; whatever changes something goes to the old one alone. */
export function isComparable({ method, path }: Pick<Call, 'method' | 'path'>): boolean {
  if (/^\/+[hm]\//.test(path)) return method === 'GET' || method === 'POST'
  return /^\/+c\//.test(path) && method === 'GET'
}

/** undefined: they say the same. */
export function compareReplies(call: Call, theirs: Reply, ours: Reply): Difference | undefined {
  if (theirs.status !== ours.status) {
    const isLag = theirs.status === 503 || ours.status === 503
    return { reason: isLag ? 'index-lag' : 'status', theirs: theirs.status, ours: ours.status }
  }
  // The words of a refusal are nobody's contract.
  if (theirs.status >= 400) return undefined
  const [a, b] = [parsed(theirs.body), parsed(ours.body)]
  if (call.path.endsWith('/hash')) return compareHashes(a, b)
  if (/\/m\/+(raw_)?lookup$/.test(call.path)) return compareHits(call, a, b)
  // Index sizes and times are each system's own.
  if (call.path.includes('/index')) return undefined
  const [left, right] = [canonical(a), canonical(b)]
  return left === right ? undefined : { reason: 'body', theirs: shapeOf(a), ours: shapeOf(b) }
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return body
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function compareHashes(theirs: unknown, ours: unknown): Difference | undefined {
  const [a, b] = [isObject(theirs) ? theirs : {}, isObject(ours) ? ours : {}]
  const types = [...new Set([...Object.keys(a), ...Object.keys(b)])].toSorted()
  const differing = types.filter((type) => a[type] !== b[type])
  if (differing.length === 0) return undefined
  const isQuality = differing.every((type) => a[type] === '' || b[type] === '')
  const tell = (side: Record<string, unknown>) =>
    Object.fromEntries(differing.map((type) => [type.slice(0, 40), kindOf(side[type])]))
  return { reason: isQuality ? 'hash: low quality' : 'hash', theirs: tell(a), ours: tell(b) }
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'none'
  return value === '' ? 'empty' : 'a hash'
}

/** Bank (or type and bank) -> the distances, near ones first. */
type Hits = Map<string, string[]>

function compareHits({ query }: Call, theirs: unknown, ours: unknown): Difference | undefined {
  const [a, b] = [hitsOf(theirs), hitsOf(ours)]
  const tell = (reason: Reason): Difference => ({
    reason,
    theirs: Object.fromEntries(a),
    ours: Object.fromEntries(b),
  })
  const isUnseeded = !query.has('seed') && query.get('bypass_coinflip') !== 'true'
  const sizes = new Set([...a.keys(), ...b.keys()])
  for (const name of sizes) {
    const [left, right] = [a.get(name)?.length ?? 0, b.get(name)?.length ?? 0]
    if (left === right) continue
    const isWhole = left === 0 || right === 0
    const way = right > left ? 'ours-has-more' : 'ours-has-less'
    return tell(isWhole && isUnseeded ? `${way}: unseeded` : way)
  }
  const isSame = [...a].every(([name, hits]) => hits.join() === b.get(name)?.join())
  return isSame ? undefined : tell('distance')
}

function hitsOf(body: unknown, prefix = ''): Hits {
  if (!isObject(body)) return new Map()
  return new Map(
    Object.entries(body).flatMap(([key, value]): [string, string[]][] => {
      const name = `${prefix}${key.slice(0, 255)}`
      if (Array.isArray(value))
        return value.length === 0 ? [] : [[name, value.map(distanceOf).toSorted()]]
      return [...hitsOf(value, `${name}/`)]
    }),
  )
}

function distanceOf(hit: unknown): string {
  const distance = isObject(hit) ? hit['distance'] : undefined
  return typeof distance === 'string' ? distance.slice(0, 20) : ''
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).toSorted().join()}]`
  if (!isObject(value)) return JSON.stringify(value)
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, inner]) => `${key}:${canonical(inner)}`).join()}}`
}

function shapeOf(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length}`
  return isObject(value)
    ? `fields ${Object.keys(value).toSorted().join(', ').slice(0, 200)}`
    : typeof value
}
