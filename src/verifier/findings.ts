// What a verification found, and how bad the worst of it is.

/** `seq`: the entry where it was noticed. `where`: the file, or the part of the log. */
export type Finding = {
  kind: 'tampered' | 'incomplete'
  where: string
  seq?: number
  problem: string
}

export type Findings = {
  tampered(where: string | number, problem: string): void
  incomplete(where: string | number, problem: string): void
  /** The first of each kind, tampering first. */
  list(): Finding[]
  /** How many there were, also of those that are not listed. */
  count(kind: Finding['kind']): number
}

export const findingsMax = 100

/** `where`: the number of an entry, or words. */
export function createFindings(): Findings {
  const found: Record<Finding['kind'], Finding[]> = { tampered: [], incomplete: [] }
  const counts = { tampered: 0, incomplete: 0 }
  const add = (kind: Finding['kind'], where: string | number, problem: string) => {
    counts[kind] += 1
    if (found[kind].length >= findingsMax) return
    const place = typeof where === 'number' ? { where: `entry ${where}`, seq: where } : { where }
    found[kind].push({ kind, ...place, problem })
  }
  return {
    tampered: (where, problem) => add('tampered', where, problem),
    incomplete: (where, problem) => add('incomplete', where, problem),
    list: () => [...found.tampered, ...found.incomplete],
    count: (kind) => counts[kind],
  }
}
