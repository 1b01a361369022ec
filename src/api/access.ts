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

export type ApiVariables = {
  Variables: AppVariables['Variables'] & {
    access: Access
    /** For what lasts: what the same key opens by now. undefined: nothing. Throws RetryableError while nobody knows. */
    accessNow: () => Promise<Access | undefined>
  }
}

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
    const header = context.req.header('authorization')
    const waitMs = limits.refusedTooOften(address)
    // Whoever shares an address with a hostile one, behind a balancer for example, goes on with the key that opened before.
    if (waitMs > 0 && !keys.isKnown(header))
      return tooMany(
        context,
        waitMs,
        'Too many requests without a good key from this address. Ask again after Retry-After seconds, with one.',
      )
    const from = { address, isForwarded: isForwarded(context.req.header()) }
    const open = () => keys.open(header, from)
    const found = await open()
    if (found.kind === 'refused') {
      limits.refused(address)
      if (found.reason === 'network')
        return problem(context, 403, {
          detail:
            'This key is bound to networks: it opens from those only, and never through a proxy. Ask from there, or have a key made for this network (key create NAME --network CIDR).',
          code: 'not-from-here',
        })
      context.header('www-authenticate', 'Bearer')
      return problem(context, 401, {
        detail:
          'Send a key that is good: Authorization: Bearer mk_…. There is none in this request, or it is wrong, revoked or expired; blobwatch key create makes one.',
        code: 'no-key',
      })
    }
    const spent = limits.spend(found.keyId, found.requestsPerSecond)
    context.header('ratelimit-limit', String(spent.limit))
    context.header('ratelimit-remaining', String(spent.remaining))
    if (spent.waitMs > 0)
      return tooMany(
        context,
        spent.waitMs,
        'This key asks too often. Ask again after Retry-After seconds, or give the key a higher --rate.',
      )
    context.set('access', found.access)
    context.set('accessNow', async () => {
      const now = await open()
      return now.kind === 'open' ? now.access : undefined
    })
    return next()
  }
}

/** For a route: its caller needs one of these. `admin` has all of them. */
export function needs(...scopes: [KeyScope, ...KeyScope[]]): MiddlewareHandler<ApiVariables> {
  return async (context, next) => {
    if (may(context.get('access'), ...scopes)) return next()
    return problem(context, 403, {
      detail: `This needs a key with the scope ${scopes.join(' or ')}: have one made with it (key create NAME --scope LIST).`,
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

/** What proxies, balancers and content networks add; every `x-forwarded-…` besides. */
const forwardingHeaders = new Set([
  ...['forwarded', 'forwarded-for', 'via', 'cdn-loop', 'x-forwarded', 'proxy-connection'],
  ...['x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'x-remote-ip', 'x-remote-addr'],
  ...['x-originating-ip', 'x-proxyuser-ip', 'client-ip', 'true-client-ip', 'proxy-client-ip'],
  ...['wl-proxy-client-ip', 'x-original-host', 'x-original-forwarded-for', 'x-original-url'],
  ...['cf-connecting-ip', 'cf-connecting-ipv6', 'cf-ray', 'fastly-client-ip', 'fly-client-ip'],
  ...['do-connecting-ip', 'x-nf-client-connection-ip', 'x-vercel-forwarded-for'],
  ...['x-azure-clientip', 'x-azure-socketip', 'x-appengine-user-ip', 'x-amz-cf-id'],
  ...['cloudfront-viewer-address', 'x-envoy-external-address', 'x-varnish'],
])

/** `headers`: by lower-case names. Some proxy stood in between: the address of the connection is not that of who asks. */
export function isForwarded(headers: Readonly<Record<string, unknown>>): boolean {
  for (const name in headers)
    if (forwardingHeaders.has(name) || name.startsWith('x-forwarded-')) return true
  return false
}

function tooMany(context: Context, waitMs: number, detail: string): Response {
  const answer = problem(context, 429, { detail, code: 'too-often' })
  answer.headers.set('retry-after', String(Math.ceil(waitMs / 1000)))
  return answer
}
