// Two kinds of signal: those that are equal to the last bit, and those that find what looks alike.
import type { SignalType } from './blob.ts'

export type PerceptualType = 'pdq' | 'clip'

/** It says that two pictures look alike, within a distance; a person or a bank's own rule decides what follows (promise 7). */
export function isPerceptual(type: SignalType): type is PerceptualType {
  return type === 'pdq' || type === 'clip'
}

/** It says that two files are the same. */
export function isExact(type: SignalType): type is Exclude<SignalType, PerceptualType> {
  return !isPerceptual(type)
}
