// /c/exchanges and /c/exchange/<name>: outside programmes as somebody sets them up. Those for which this service has a client
// are fetched (roles/fetch-exchanges.ts); of the others the status says that nothing was. Credentials go in and never come out.
import { quoted, refuse } from './answers.ts'
import { author, checkName } from './banks.ts'
import type { CuratorGiven } from './banks.ts'
import { readJson, readModel } from './body.ts'
import {
  createExchange,
  readExchange,
  readExchanges,
  removeExchange,
  setExchange,
} from '../../exchanges/exchange-store.ts'
import type { Exchange } from '../../exchanges/exchange-store.ts'
import { hasCredentials, setCredentials } from './exchange-store.ts'
import { apisWith, readSchema } from './exchange-schema.ts'
import type { ExchangeApi, SchemaField } from './exchange-schema.ts'
import { readFields } from './lax.ts'
import { isPlainObject } from './plain-object.ts'
import type { HmaContext, HmaRoute } from './route.ts'

export function exchangeRoutes({ parts, bodies }: CuratorGiven): HmaRoute[] {
  const { db } = parts
  const apis = apisWith(parts.exchangeApis.keys())
  const reads = { method: 'GET', role: 'curator', needs: 'bank:read' } as const
  const writes = { role: 'curator', needs: 'bank:write' } as const
  const here = (context: HmaContext) => exchangeHere(parts, context)
  return [
    {
      ...reads,
      rule: '/c/exchanges',
      about: 'List the exchanges',
      async answer(context) {
        const exchanges = await readExchanges(db, { nowMs: parts.clock() })
        return context.json(exchanges.map(({ name }) => name))
      },
    },
    {
      ...writes,
      method: 'POST',
      rule: '/c/exchanges',
      about: 'Set up an exchange, and a bank of the same name',
      body: 'json',
      async answer(context) {
        const given = readCreate(await readJson(context, bodies), apis)
        await createExchange(db, { ...given, ...author(context, parts) })
        return context.json({ message: 'Created successfully' }, 201)
      },
    },
    {
      ...reads,
      rule: '/c/exchange/<exchange_name>',
      about: 'Show an exchange',
      answer: async (context) => context.json(configOf(await here(context))),
    },
    {
      ...reads,
      rule: '/c/exchange/<exchange_name>/status',
      about: 'Show what was fetched',
      answer: async (context) => context.json(statusOf(await here(context))),
    },
    {
      ...writes,
      method: 'PUT',
      rule: '/c/exchange/<exchange_name>',
      about: 'Switch fetching on or off',
      body: 'json',
      async answer(context) {
        const { enabled } = readFields(await readModel(context, bodies), {
          enabled: { kind: 'yes-no' },
        })
        const { name } = await here(context)
        if (enabled !== undefined)
          await setExchange(db, { name, enabled, ...author(context, parts) })
        return context.json(configOf(await here(context)))
      },
    },
    {
      ...writes,
      method: 'DELETE',
      rule: '/c/exchange/<exchange_name>',
      about: 'Remove an exchange with its bank',
      async answer(context) {
        const name = nameOf(context)
        if (namePattern.test(name)) await removeExchange(db, { name, ...author(context, parts) })
        return context.json({ message: 'Exchange deleted' })
      },
    },
    ...apiRoutes({ parts, bodies }),
  ]
}

function apiRoutes({ parts, bodies }: CuratorGiven): HmaRoute[] {
  const { db } = parts
  const apis = apisWith(parts.exchangeApis.keys())
  const reads = { method: 'GET', role: 'curator', needs: 'bank:read' } as const
  const rule = '/c/exchanges/api/<api_name>'
  const known = (context: HmaContext) => {
    const name = context.req.param('api_name') ?? ''
    const api = apis.get(name) ?? refuse(400, `no such Exchange API ${quoted(name)}`)
    return { name, api }
  }
  const credentialState = async (name: string, api: ExchangeApi) => ({
    supports_authentification: api.credentials !== null,
    has_set_authentification: await hasCredentials(db, name),
  })
  return [
    {
      ...reads,
      rule: '/c/exchanges/apis',
      about: 'List the kinds of exchange',
      answer: (context) => context.json([...apis.keys()]),
    },
    {
      ...reads,
      rule,
      about: 'Show whether a kind of exchange has credentials',
      async answer(context) {
        const { name, api } = known(context)
        return context.json(await credentialState(name, api))
      },
    },
    {
      method: 'POST',
      role: 'curator',
      needs: 'bank:write',
      rule,
      about: 'Set or clear the credentials of a kind of exchange',
      body: 'json',
      async answer(context) {
        const { name, api } = known(context)
        const body = await readJson(context, bodies)
        if (Object.hasOwn(body, 'credential_json')) {
          const values = readCredentials(api, body['credential_json'])
          const { dataKey } = parts.identity
          await setCredentials(db, { api: name, values, dataKey, ...author(context, parts) })
        }
        return context.json(await credentialState(name, api))
      },
    },
    {
      ...reads,
      rule: `${rule}/schema`,
      about: 'Show which fields a kind of exchange has',
      answer(context) {
        const name = context.req.param('api_name') ?? ''
        const { config, credentials } =
          apis.get(name) ?? refuse(404, `Exchange API ${quoted(name)} not found`)
        return context.json({
          config_schema: { fields: config },
          credentials_schema: credentials && { fields: credentials },
        })
      },
    },
  ]
}

const namePattern = /^[A-Z0-9_]{1,255}$/

function readCreate(given: Record<string, unknown>, apis: ReadonlyMap<string, ExchangeApi>) {
  const { bank, api, api_json: config } = given
  if (bank === undefined || bank === null) refuse(400, 'bank is required')
  if (typeof bank !== 'string' || !namePattern.test(bank))
    return refuse(400, 'Field `bank` must match /^[A-Z0-9_]+$/')
  if (config !== undefined && !isPlainObject(config)) refuse(400, 'Field `api_json` must be object')
  if (api === undefined || api === null) return refuse(400, 'Field `api_type` is required')
  const schema = typeof api === 'string' ? apis.get(api) : undefined
  if (typeof api !== 'string' || schema === undefined)
    return refuse(
      400,
      `No such exchange type ${quoted(typeof api === 'string' ? api : typeof api)}`,
    )
  checkName(bank)
  const read = readSchema([...schema.config, enabledField], config ?? {})
  if ('wrong' in read) return refuse(400, `Failed to parse \`api_json\` - ${read.wrong}`)
  const { enabled, ...values } = read.values
  return { name: bank, api, config: values, enabled: enabled !== false }
}

/** HMA's configurations have it beside their own fields; their forms do not show it. */
const enabledField: SchemaField = {
  ...{ name: 'enabled', type: 'boolean', required: false },
  ...{ default: true, help: null, choices: null },
}

/** undefined: they are cleared. */
function readCredentials(api: ExchangeApi, given: unknown): object | undefined {
  if (api.credentials === null) return refuse(400, 'This exchange API takes no credentials')
  if (given === null || (Array.isArray(given) && given.length === 0)) return undefined
  if (!isPlainObject(given)) return refuse(400, 'Field `credential_json` must be object')
  if (Object.keys(given).length === 0) return undefined
  const read = readSchema(api.credentials, given)
  return 'wrong' in read
    ? refuse(400, `Failed to parse \`credential_json\` - ${read.wrong}`)
    : read.values
}

function nameOf(context: HmaContext): string {
  return context.req.param('exchange_name') ?? ''
}

async function exchangeHere(
  { db, clock }: CuratorGiven['parts'],
  context: HmaContext,
): Promise<Exchange> {
  const name = nameOf(context)
  const isName = namePattern.test(name)
  const found = isName ? await readExchange(db, { name, nowMs: clock() }) : undefined
  return found ?? refuse(404, `Exchange ${quoted(name)} not found`)
}

function configOf({ name, api, enabled, config }: Exchange) {
  return { ...config, name, api, enabled }
}

function statusOf(exchange: Exchange) {
  const seconds = (at: Date | null) => at && Math.floor(at.getTime() / 1000)
  return {
    checkpoint_ts: seconds(exchange.checkpointAt),
    running_fetch_start_ts: seconds(exchange.runningSince),
    last_fetch_complete_ts: seconds(exchange.fetchEndedAt),
    last_fetch_succeeded: exchange.fetchOk,
    up_to_date: exchange.upToDate ?? false,
    fetched_items: exchange.fetchedItems,
  }
}
