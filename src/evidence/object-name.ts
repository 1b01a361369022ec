// Names in the store: random, so that a folder or a bucket tells nothing about what lies in it.
import { randomBytes } from 'node:crypto'
import { evidenceLimits } from './limits.ts'

export function newObjectName(): string {
  return randomBytes(evidenceLimits.nameBytes).toString('hex')
}

/** Throws TypeError for anything that we did not make: no path ever comes from outside. */
export function checkObjectName(name: string): string {
  if (!/^[0-9a-f]{40}$/.test(name)) throw new TypeError('not a name of an evidence object')
  return name
}
