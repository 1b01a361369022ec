// Which Node runs the package: the one that started it, or the one that npm installed beside it. Runs on Node 20.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The major version that package.json pins by its optional packages `node-linux-*`. */
export const pinnedMajor = 24

export type FoundNode =
  { kind: 'this' } | { kind: 'installed'; path: string } | { kind: 'none'; package: string }

/** `resolve`: where a package's package.json is; throws when it is not installed. */
export function findNode(
  host: { version: string; platform: string; arch: string },
  resolve: (name: string) => string = (name) => createRequire(import.meta.url).resolve(name),
): FoundNode {
  const major = Number(host.version.split('.')[0])
  if (major === pinnedMajor) return { kind: 'this' }
  const name = `node-${host.platform}-${host.arch}`
  const path = installed(name, resolve)
  if (path !== undefined) return { kind: 'installed', path }
  // A newer one was not tried, and is better than none.
  return major > pinnedMajor ? { kind: 'this' } : { kind: 'none', package: name }
}

function installed(name: string, resolve: (name: string) => string): string | undefined {
  try {
    const path = join(dirname(resolve(`${name}/package.json`)), 'bin', 'node')
    return existsSync(path) ? path : undefined
  } catch {
    // Not installed: an optional package, and a container brings its own Node.
    return undefined
  }
}
