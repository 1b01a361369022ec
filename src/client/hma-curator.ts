// The curator's half of HMA's API: banks, their contents, exchanges. What changes something is never tried again.
import { formOf } from './exchange.ts'
import type { Call, CallOptions, Requester } from './request.ts'
import type { Upload } from './blobwatch-types.ts'
import type * as Wire from './hma-types.ts'

export type HmaContentFacts = { metadata?: Wire.HmaContentMetadata; note?: string }

export type HmaCurator = {
  banks(options?: CallOptions): Promise<Wire.HmaBank[]>
  bank(name: string, options?: CallOptions): Promise<Wire.HmaBank>
  createBank(
    bank: { name: string; enabled_ratio?: number },
    options?: CallOptions,
  ): Promise<Wire.HmaBank>
  updateBank(
    name: string,
    change: { name?: string; enabled?: boolean; enabled_ratio?: number },
    options?: CallOptions,
  ): Promise<Wire.HmaBank>
  deleteBank(name: string, options?: CallOptions): Promise<void>
  content(
    bank: string,
    id: number,
    options?: CallOptions & { includeSignals?: boolean },
  ): Promise<Wire.HmaContent>
  addContentUrl(
    bank: string,
    about: { url: string; contentType?: string; types?: string[] } & HmaContentFacts,
    options?: CallOptions,
  ): Promise<Wire.HmaAddedContent>
  addContentFile(
    bank: string,
    about: { contentType: string; file: Upload } & HmaContentFacts,
    options?: CallOptions,
  ): Promise<Wire.HmaAddedContent>
  /** A hash of each type at most: they become one content. */
  addSignals(
    bank: string,
    signals: Wire.HmaHashes,
    options?: CallOptions,
  ): Promise<Wire.HmaAddedContent>
  updateContent(
    bank: string,
    id: number,
    change: { disable_until_ts?: number; note?: string },
    options?: CallOptions,
  ): Promise<Record<string, unknown>>
  /** Whether there was one. */
  deleteContent(bank: string, id: number, options?: CallOptions): Promise<boolean>
  exchanges(options?: CallOptions): Promise<string[]>
  exchange(name: string, options?: CallOptions): Promise<Record<string, unknown>>
  exchangeStatus(name: string, options?: CallOptions): Promise<Wire.HmaExchangeStatus>
  exchangeApis(options?: CallOptions): Promise<string[]>
  createExchange(
    exchange: { bank: string; api: string; api_json: Record<string, unknown> },
    options?: CallOptions,
  ): Promise<void>
  deleteExchange(name: string, options?: CallOptions): Promise<void>
}

export function createHmaCurator(requester: Requester): HmaCurator {
  const send = <T>(call: Omit<Call, 'repeatable'>, given?: CallOptions) =>
    requester.json<T>({ ...call, repeatable: call.method === 'GET' }, given)
  const read = <T>(name: string, path: string, given?: CallOptions, query: Call['query'] = {}) =>
    send<T>({ name: `GET ${name}`, method: 'GET', path, query }, given)
  const at = (bank: string) => `/c/bank/${encodeURIComponent(bank)}`
  const exchangeAt = (name: string) => `/c/exchange/${encodeURIComponent(name)}`
  return {
    banks: (given) => read('/c/banks', '/c/banks', given),
    bank: (name, given) => read('/c/bank/{name}', at(name), given),
    createBank: (json, given) =>
      send({ name: 'POST /c/banks', method: 'POST', path: '/c/banks', json }, given),
    updateBank: (name, json, given) =>
      send({ name: 'PUT /c/bank/{name}', method: 'PUT', path: at(name), json }, given),
    deleteBank: async (name, given) => {
      await send({ name: 'DELETE /c/bank/{name}', method: 'DELETE', path: at(name) }, given)
    },
    content: (bank, id, { includeSignals, ...given } = {}) =>
      read('/c/bank/{name}/content/{id}', `${at(bank)}/content/${id}`, given, {
        include_signals: includeSignals,
      }),
    addContentUrl: (bank, { url, contentType, types, ...facts }, given) =>
      send(
        {
          name: 'POST /c/bank/{name}/content',
          method: 'POST',
          path: `${at(bank)}/content`,
          query: { url, content_type: contentType, types: types?.join(',') },
          json: facts,
        },
        given,
      ),
    addContentFile: (bank, { contentType, file, ...facts }, given) =>
      send(
        {
          name: 'POST /c/bank/{name}/content',
          method: 'POST',
          path: `${at(bank)}/content`,
          body: { make: () => contentForm(contentType, file, facts) },
        },
        given,
      ),
    addSignals: (bank, json, given) =>
      send(
        {
          name: 'POST /c/bank/{name}/signal',
          method: 'POST',
          path: `${at(bank)}/signal`,
          json,
        },
        given,
      ),
    updateContent: (bank, id, json, given) =>
      send(
        {
          name: 'PUT /c/bank/{name}/content/{id}',
          method: 'PUT',
          path: `${at(bank)}/content/${id}`,
          json,
        },
        given,
      ),
    async deleteContent(bank, id, given) {
      const name = 'DELETE /c/bank/{name}/content/{id}'
      const path = `${at(bank)}/content/${id}`
      const { deleted } = await send<{ deleted: number }>({ name, method: 'DELETE', path }, given)
      return deleted > 0
    },
    exchanges: (given) => read('/c/exchanges', '/c/exchanges', given),
    exchange: (name, given) => read('/c/exchange/{name}', exchangeAt(name), given),
    exchangeStatus: (name, given) =>
      read('/c/exchange/{name}/status', `${exchangeAt(name)}/status`, given),
    exchangeApis: (given) => read('/c/exchanges/apis', '/c/exchanges/apis', given),
    createExchange: async (json, given) => {
      await send({ name: 'POST /c/exchanges', method: 'POST', path: '/c/exchanges', json }, given)
    },
    deleteExchange: async (name, given) => {
      const path = exchangeAt(name)
      await send({ name: 'DELETE /c/exchange/{name}', method: 'DELETE', path }, given)
    },
  }
}

function contentForm(field: string, file: Upload, { metadata, note }: HmaContentFacts): FormData {
  const form = formOf(field, file)
  if (metadata !== undefined) form.set('metadata', JSON.stringify(metadata))
  if (note !== undefined) form.set('note', note)
  return form
}
