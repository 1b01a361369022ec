// How far two values of a plug-in are from each other, where it declared a metric of ours.
import type { Metric } from './manifest.ts'

/** undefined: only the plug-in can say (`compare`). Both values have the declared number of digits. */
export function distanceBy(metric: Metric, a: string, b: string): number | undefined {
  switch (metric.kind) {
    case 'exact':
      // Equal or another thing: by how much says nothing.
      return a === b ? 0 : Infinity
    case 'hamming':
      return hamming(a, b)
    case 'compare':
      return undefined
    default:
      return metric satisfies never
  }
}

/** Whether a distance lies within what the manifest calls a match. */
export function isNear(metric: Metric, distance: number): boolean {
  return distance <= (metric.kind === 'exact' ? 0 : metric.radius)
}

function hamming(a: string, b: string): number {
  let bits = 0
  for (let i = 0; i < a.length; i++) {
    let differing = Number.parseInt(a[i]!, 16) ^ Number.parseInt(b[i]!, 16)
    for (; differing > 0; differing >>= 1) bits += differing & 1
  }
  return bits
}
