// Who asks, and what for: every API of ours knows its caller as a principal with scopes before it does anything.
//
// Promises: a request without a good key learns nothing but 401, whatever it asked for; a key is compared in constant
// time, also one that does not exist; a key that is bound to networks opens nothing through a proxy. Refusals say which
// scope is missing and never what a key holds besides.
import type { Context, MiddlewareHandler } from 'hono'
import type { KeyScope } from '../cases/api-keys.ts'
import type { AppVariables } from '../http/problem.ts'
import { problem } from '../http/problem.ts'
import type { KeyRing } from './key-ring.ts'
import type { RateLimits } from './rate-limits.ts'
import { remoteAddress } from './remote-address.ts'

/** `principal`: whose name is on what follows. */
export type Access = {
  principal: number
  kind: string
  name: string
  scopes: ReadonlySet<KeyScope>
}

export type ApiVariables = { Variables: AppVariables['Variables'] & { access: Access } }

/** Puts `access` into the context for what comes after it; answers itself with 401, 403 or 429. */
export function keyAccess({
  keys,
  limits,
}: {
  keys: KeyRing
  limits: RateLimits
}): MiddlewareHandler<ApiVariables> {
  return async (context, next) => {
    const address = remoteAddress(context)
    const waitMs = limits.refusedTooOften(address)
    if (waitMs > 0)
      return tooMany(context, waitMs, 'Too many requests without a good key from this address.')
    const found = await keys.open(context.req.header('authorization'), {
      address,
      isForwarded: isForwarded(context),
    })
    if (found.kind === 'refused') {
      limits.refused(address)
      if (found.reason === 'network')
        return problem(context, 403, {
          detail:
            'This key is bound to networks: it does not open from here, and never through a proxy.',
          code: 'not-from-here',
        })
      context.header('www-authenticate', 'Bearer')
      return problem(context, 401, {
        detail: 'A key is needed: Authorization: Bearer mk_… (blobwatch key create).',
        code: 'no-key',
      })
    }
    const spent = limits.spend(found.keyId, found.requestsPerSecond)
    context.header('ratelimit-limit', String(spent.limit))
    context.header('ratelimit-remaining', String(spent.remaining))
    if (spent.waitMs > 0) return tooMany(context, spent.waitMs, 'This key asks too often.')
    context.set('access', found.access)
    return next()
  }
}

/** For a route: its caller needs one of these. `admin` has all of them. */
export function needs(...scopes: [KeyScope, ...KeyScope[]]): MiddlewareHandler<ApiVariables> {
  return async (context, next) => {
    if (may(context.get('access'), ...scopes)) return next()
    return problem(context, 403, {
      detail: `This needs a key with the scope ${scopes.join(' or ')}.`,
      code: 'scope-needed',
    })
  }
}

/** For a route: what follows is a person's word (promise 7). A key that a program holds does not give one, `admin` or not. */
export const person: MiddlewareHandler<ApiVariables> = async (context, next) => {
  if (context.get('access').kind === 'person') return next()
  return problem(context, 403, {
    detail: 'A person decides this: use a key made with key create NAME --person.',
    code: 'person-needed',
  })
}

export function may(access: Access, ...scopes: KeyScope[]): boolean {
  return access.scopes.has('admin') || scopes.some((scope) => access.scopes.has(scope))
}

export const forwardingHeaders = [
  'forwarded',
  'x-forwarded-for',
  'x-real-ip',
  'x-forwarded-host',
  'via',
]

/** Some proxy stood in between: the address of the connection is not that of who asks. */
export function isForwarded(context: Context): boolean {
  return forwardingHeaders.some((name) => context.req.header(name) !== undefined)
}

function tooMany(context: Context, waitMs: number, detail: string): Response {
  const answer = problem(context, 429, { detail, code: 'too-often' })
  answer.headers.set('retry-after', String(Math.ceil(waitMs / 1000)))
  return answer
}
