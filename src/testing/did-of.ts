import { createHash } from 'node:crypto'

/** The n-th of many accounts. */
export function didOf(n: number): string {
  return `did:plc:${createHash('sha256')
    .update(String(n))
    .digest('hex')
    .replaceAll(/[0189]/g, 'z')
    .slice(0, 24)}`
}
