// Two answers to one call, and in which way they differ. Pure.
//
// Promises: what comes out names banks, types, counts and distances, never a signal, an address or anything else that was sent
// (promise 8). The numbers of contents are each system's own and are not compared.
import { bitsBetween } from '../compare.ts'

export type Call = { method: string; path: string; query: URLSearchParams }
export type Reply = { status: number; body: string }

/**
 * `draw`: only banks that are asked for a share of the lookups differ, and without a seed each side draws for itself.
 * `index-lag`: one side does not know yet what the other knows.
 */
export const reasons = [
  'status',
  'index-lag',
  'hash',
  'hash: low quality',
  'ours-has-more',
  'ours-has-less',
  'draw',
  'distance',
  'body',
] as const
export type Reason = (typeof reasons)[number]

/** `why`: of contents that only one side found (cause.ts). */
export type Difference = {
  reason: Reason
  theirs: unknown
  ours: unknown
  why?: Record<string, number>
}

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
  if (/\/m\/+(raw_)?lookup$/.test(call.path)) return compareHits(a, b)
  // Index sizes and times are each system's own.
  if (call.path.includes('/index')) return undefined
  const [left, right] = [canonical(a), canonical(b)]
  return left === right ? undefined : { reason: 'body', theirs: onlyIn(a, b), ours: onlyIn(b, a) }
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
  const tell = (side: Record<string, unknown>, other: Record<string, unknown>) =>
    Object.fromEntries(
      differing.map((type) => [type.slice(0, 40), kindOf(side[type], other[type])]),
    )
  return { reason: isQuality ? 'hash: low quality' : 'hash', theirs: tell(a, b), ours: tell(b, a) }
}

function kindOf(value: unknown, other: unknown): string {
  if (value === undefined) return 'none'
  if (value === '') return 'empty'
  const bits = bitsApart(value, other)
  return bits === undefined ? 'a hash' : `a hash ${bits} bits apart`
}

function bitsApart(a: unknown, b: unknown): number | undefined {
  const isHash = (value: unknown) => typeof value === 'string' && /^([0-9a-f]{2})+$/.test(value)
  if (!isHash(a) || !isHash(b)) return undefined
  const [left, right] = [a as string, b as string]
  return left.length === right.length ? bitsBetween(left, right) : undefined
}

/** Bank (or type and bank) -> the distances, near ones first. */
type Hits = Map<string, string[]>

function compareHits(theirs: unknown, ours: unknown): Difference | undefined {
  const [a, b] = [hitsOf(theirs), hitsOf(ours)]
  const tell = (reason: Reason): Difference => ({
    reason,
    theirs: Object.fromEntries(a),
    ours: Object.fromEntries(b),
  })
  const sizes = new Set([...a.keys(), ...b.keys()])
  for (const name of sizes) {
    const [left, right] = [a.get(name)?.length ?? 0, b.get(name)?.length ?? 0]
    if (left === right) continue
    return tell(right > left ? 'ours-has-more' : 'ours-has-less')
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

/** Bank -> the numbers of its contents in the answer to a lookup, of whatever type. Empty where no numbers are told. */
export function contentsFound(reply: Reply): Map<string, Set<number>> {
  const found = new Map<string, Set<number>>()
  const read = (body: unknown) => {
    if (!isObject(body)) return
    for (const [name, value] of Object.entries(body)) {
      // The list of /m/raw_lookup is no bank.
      if (!Array.isArray(value) || name === 'matches') {
        read(value)
        continue
      }
      const contents = found.get(name) ?? new Set()
      found.set(name, contents)
      for (const hit of value)
        if (isObject(hit) && Number.isSafeInteger(hit['bank_content_id']))
          contents.add(hit['bank_content_id'] as number)
    }
  }
  if (reply.status === 200) read(parsed(reply.body))
  return found
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

/** What `value` says and `other` does not: names of fields, counts of items, never what is in them. */
function onlyIn(value: unknown, other: unknown): string {
  if (Array.isArray(value)) {
    const others = new Set(Array.isArray(other) ? other.map(canonical) : [])
    const only = value.filter((item) => !others.has(canonical(item))).length
    return `a list of ${value.length}, ${only} of them only here`
  }
  if (!isObject(value)) return typeof value
  const fields = isObject(other) ? other : {}
  const differing = Object.keys(value).filter(
    (name) => !(name in fields) || canonical(value[name]) !== canonical(fields[name]),
  )
  return `fields ${differing.toSorted().join(', ').slice(0, 200) || 'none of its own'}`
}
