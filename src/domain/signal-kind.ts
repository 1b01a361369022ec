// Three kinds of signal: those that are equal to the last bit, those that find what looks alike, and those of plug-ins.
import type { AnySignalType, SignalType } from './blob.ts'
import { isOurs } from './other-type.ts'

export type PerceptualType = 'pdq' | 'clip'

/** It says that two pictures look alike, within a distance; a person or a bank's own rule decides what follows (promise 7). */
export function isPerceptual(type: AnySignalType): type is PerceptualType {
  return type === 'pdq' || type === 'clip'
}

/** It says that two files are the same. A plug-in's never does, whatever its metric: we do not know what its value stands for. */
export function isExact(type: AnySignalType): type is Exclude<SignalType, PerceptualType> {
  return isOurs(type) && !isPerceptual(type)
}
