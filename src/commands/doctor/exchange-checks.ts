// Are the exchanges fetched, and is there a client for each?
import { UsageError, errorMessage } from '../../domain/errors.ts'
import { exchangeState } from '../../exchanges/exchange-state.ts'
import type { ExchangeState } from '../../exchanges/exchange-state.ts'
import { readExchanges } from '../../exchanges/exchange-store.ts'
import type { Exchange } from '../../exchanges/exchange-store.ts'
import type { OpenDatabase } from '../../service-database.ts'
import { exchangeManifests } from '../../service-exchanges.ts'
import { count } from '../output.ts'
import { typedAs } from '../typed-as.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { fail, inDatabase, note, ok, skip, warn } from './check.ts'

export const exchangeAges = {
  /** Without a success for so many times the usual span somebody should look. */
  spansMax: 4,
} as const

export const exchangeChecks: Check[] = [
  { id: 'exchanges', group: 'banks', run: inDatabase(exchanges) },
]

const list = typedAs('exchange list')

async function exchanges(
  { app }: OpenDatabase,
  { config, manifests, nowMs }: DoctorContext,
): Promise<Finding> {
  const apis = apisIn(manifests)
  if (!Array.isArray(apis)) return apis
  const all = await readExchanges(app, { nowMs })
  if (all.length === 0) return skip('no exchange is set up')
  const by = (...wanted: ExchangeState[]) =>
    all.filter((one) => wanted.includes(exchangeState(one, apis)))
  const held = by('held')
  if (held.length > 0)
    return warn(
      `${count(held.length, 'exchange')} held: it would delete too much of its bank`,
      `${typedAs('exchange fetch NAME --allow-deletions')}, when that is meant`,
    )
  const failing = by('failing')
  if (failing.length > 0)
    return warn(`${count(failing.length, 'exchange')} of ${all.length} failing`, list)
  const late = by('new', 'behind', 'up-to-date').filter((one) => isLate(one, nowMs, config))
  if (late.length > 0)
    return warn(
      `${count(late.length, 'exchange')} of ${all.length} not fetched for long`,
      `is the service running, and does it have the plug-in? ${typedAs('serve')}`,
    )
  const without = by('no-client')
  if (without.length > 0)
    return note(
      `${count(without.length, 'exchange')} of ${all.length} not fetched: no plug-in of BLOBWATCH_PLUGINS has its api`,
      list,
    )
  return ok(`${count(all.length, 'exchange')}, ${by('off').length} of them off`)
}

function apisIn(manifests: DoctorContext['manifests']) {
  try {
    return exchangeManifests(manifests()).map(({ name }) => name)
  } catch (error) {
    if (error instanceof UsageError) return fail(errorMessage(error), 'docs/extending.md')
    throw error
  }
}

function isLate(
  { succeededAt, createdAt }: Exchange,
  nowMs: number,
  { exchangeMinutes }: DoctorContext['config'],
): boolean {
  const sinceMs = nowMs - (succeededAt ?? createdAt).getTime()
  return sinceMs > exchangeAges.spansMax * exchangeMinutes * 60_000
}
