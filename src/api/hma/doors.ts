// The two doors to HMA's interface: with a key on the private listener, and without one on a listener of its own, because
// HMA's clients know no keys.
//
// Promises of the door without a key: only from networks that the settings name, or over a unix socket; never through a proxy,
// whose clients we could not tell apart; never for a browser that a foreign page sent, or that a foreign name led here.
import { isIP } from 'node:net'
import type { Context, MiddlewareHandler } from 'hono'
import type { KeyScope } from '../../cases/api-keys.ts'
import type { HmaConfig } from '../../config-hma.ts'
import { isForwarded } from '../access.ts'
import type { Access, ApiVariables } from '../access.ts'
import { parseNetworks } from '../networks.ts'
import { remoteAddress } from '../remote-address.ts'
import { refuse } from './answers.ts'

type Middleware = MiddlewareHandler<ApiVariables>

export type Door = {
  /** Before every route. */
  guard?: Middleware
  /** Before every route that needs a right; puts `access` into the context. */
  access?: Middleware
  missing(needs: KeyScope): string
}

/** `keyed`: what `keyAccess` makes; its refusals are put into HMA's shape. */
export function doorWithKeys(keyed: Middleware): Door {
  return {
    access: async (context, next) => {
      const answer = await keyed(context, next)
      return answer instanceof Response ? inHmaShape(answer) : undefined
    },
    missing: (needs) => `This needs a key with the scope ${needs}.`,
  }
}

async function inHmaShape(answer: Response): Promise<Response> {
  const { detail, title } = (await answer.json()) as { detail?: string; title?: string }
  const headers = new Headers(answer.headers)
  headers.set('content-type', 'application/json')
  const body = JSON.stringify({ message: detail ?? title })
  return new Response(body, { status: answer.status, headers })
}

const reading: KeyScope[] = ['scan', 'match:read', 'match:distance', 'bank:read']

/** `principal`: whose name is on what comes through here. */
export function doorWithoutKeys(config: HmaConfig, principal: number): Door {
  const networks = parseNetworks(config.networks)
  const isSocket = config.listener !== undefined && 'socket' in config.listener
  const access: Access = {
    principal,
    name: hmaPrincipal,
    kind: 'service',
    scopes: new Set<KeyScope>(config.mayWrite ? [...reading, 'bank:write', 'export'] : reading),
  }
  return {
    guard: async (context, next) => {
      if (isForwarded(context.req.header()))
        refuse(403, 'This listener answers nobody through a proxy.')
      if (isSentByAPage(context)) refuse(403, 'This listener answers no web pages.')
      if (!isSocket) {
        if (!networks.has(remoteAddress(context)))
          refuse(403, 'This listener does not answer that network (BLOBWATCH_HMA_NETWORKS).')
        if (!isPrivateName(context.req.header('host') ?? ''))
          refuse(403, 'This listener answers only to an address or a private name.')
      }
      context.set('access', access)
      return next()
    },
    missing: (needs) =>
      needs === 'bank:write'
        ? 'Changes are switched off here (BLOBWATCH_HMA_WRITE=on allows them).'
        : `This listener does not allow ${needs}.`,
  }
}

export const hmaPrincipal = 'hma'

/** A form on any page may be sent here without asking; a browser says whose page it was. */
function isSentByAPage(context: Context): boolean {
  const origin = context.req.header('origin')
  const site = context.req.header('sec-fetch-site')
  return origin !== undefined || (site !== undefined && site !== 'none' && site !== 'same-origin')
}

const privateEndings = ['localhost', 'local', 'internal', 'home.arpa', 'test']

/**
 * An address, a name without a dot, or one that nobody can register. Any other name may be a stranger's, pointed at this
 * machine so that a page in somebody's browser may read what we answer (DNS rebinding).
 */
export function isPrivateName(host: string): boolean {
  const name = host.toLowerCase().replace(/:\d*$/, '')
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true
  if (!/^[a-z0-9_-]+(\.[a-z0-9_-]+)*$/.test(name)) return false
  return !name.includes('.') || privateEndings.some((ending) => name.endsWith(`.${ending}`))
}
