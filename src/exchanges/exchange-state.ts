// What is to be said of an exchange, in one word and one sentence. Pure.
import type { Exchange } from './exchange-store.ts'

export type ExchangeState =
  'off' | 'no-client' | 'running' | 'held' | 'failing' | 'new' | 'behind' | 'up-to-date'

type Stated = Omit<Exchange, 'config'>

/** `apis`: for which there is a client, as far as the one who asks knows. */
export function exchangeState(exchange: Stated, apis: readonly string[]): ExchangeState {
  if (!exchange.enabled) return 'off'
  if (exchange.runningSince !== null) return 'running'
  if (!apis.includes(exchange.api)) return 'no-client'
  if (exchange.fetchReason === 'too-many-deletions') return 'held'
  if (exchange.failures > 0) return 'failing'
  if (exchange.fetchEndedAt === null) return 'new'
  return exchange.upToDate === true ? 'up-to-date' : 'behind'
}

export function exchangeSentence(exchange: Stated, state: ExchangeState): string {
  switch (state) {
    case 'off':
      return 'off'
    case 'no-client':
      return `not fetched: no plug-in here is called ${exchange.api}`
    case 'running':
      return 'is being fetched'
    case 'held':
      return `held: it would delete too much (exchange fetch ${exchange.name} --allow-deletions)`
    case 'failing':
      return `${timesFailed(exchange.failures)}: ${exchange.fetchReason ?? 'no reason'}`
    case 'new':
      return 'not fetched yet'
    case 'behind':
      return 'more to come'
    case 'up-to-date':
      return 'up to date'
    default:
      return state satisfies never
  }
}

function timesFailed(failures: number): string {
  return failures === 1 ? 'failed once' : `failed ${failures} times in a row`
}
