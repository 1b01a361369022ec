// Manifests from their files.
import { resolve } from 'node:path'
import { UsageError } from '../domain/errors.ts'
import { parseManifest } from './manifest.ts'
import type { Manifest } from './manifest.ts'

type ReadFile = (path: string) => string

/** Throws UsageError when it cannot be read or is wrong. */
export function readManifest(path: string, readFile: ReadFile): Manifest {
  const whole = resolve(path)
  let text: string
  try {
    text = readFile(whole)
  } catch (cause) {
    throw new UsageError(`${path} cannot be read`, { cause })
  }
  return parseManifest(text, whole)
}

/** The start refuses manifests that are wrong, and two of one name. */
export function readManifests(paths: readonly string[], readFile: ReadFile): Manifest[] {
  const manifests = paths.map((path) => readManifest(path, readFile))
  const names = manifests.map(({ name }) => name)
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new UsageError(`two plug-ins are called ${twice}`)
  return manifests
}
