// HMA's API, of Blobwatch or of a real HMA. Field names are HMA's. Every call rejects with ApiError (its `problem.detail`
// is HMA's message), ConnectionError or the reason of an aborted signal. Only what changes nothing is tried again.
import { ApiError } from './errors.ts'
import { formOf, listIn, objectIn } from './exchange.ts'
import { createHmaCurator } from './hma-curator.ts'
import type { HmaCurator } from './hma-curator.ts'
import { createRequester } from './request.ts'
import type { CallOptions, ClientOptions } from './request.ts'
import type { Upload } from './blobwatch-types.ts'
import type * as Wire from './hma-types.ts'

/** HMA's own: the name of the form's field too. */
export type HmaContentType = 'photo' | 'video' | (string & {})
export type HmaLookupOptions = { banks?: string[]; seed?: string }

export type HmaClient = HmaCurator & {
  hashUrl(
    about: { url: string; contentType?: HmaContentType; types?: string[] },
    options?: CallOptions,
  ): Promise<Wire.HmaHashes>
  hashFile(
    contentType: HmaContentType,
    file: Upload,
    options?: CallOptions & { types?: string[] },
  ): Promise<Wire.HmaHashes>
  /** Matches of a hash by bank. */
  lookup(
    about: { signal: string; signalType: string } & HmaLookupOptions,
    options?: CallOptions,
  ): Promise<Wire.HmaMatchesByBank>
  /** Matches of what lies at an address, by signal type and bank. The service fetches it. */
  lookupUrl(
    about: { url: string; contentType?: HmaContentType; types?: string[] } & HmaLookupOptions,
    options?: CallOptions,
  ): Promise<Wire.HmaMatchesByType>
  /** `bypassCoinflip`: also banks that are compared with a share of the lookups only. */
  lookupFile(
    contentType: HmaContentType,
    file: Upload,
    options?: CallOptions & HmaLookupOptions & { types?: string[]; bypassCoinflip?: boolean },
  ): Promise<Wire.HmaMatchesByType>
  /** Without regard to disabled contents and ratios. */
  rawLookup(
    about: { signal: string; signalType: string; banks?: string[] },
    options?: CallOptions,
  ): Promise<Wire.HmaMatch[]>
  /** By signal type: whether the two match, and how far apart they are. */
  compare(
    pairs: Record<string, [string, string]>,
    options?: CallOptions,
  ): Promise<Record<string, [boolean, { distance?: number }]>>
  indexStatus(signalType?: string, options?: CallOptions): Promise<Wire.HmaIndexStatus>
  state(options?: CallOptions): Promise<Wire.HmaState>
}

const states: Record<string, Wire.HmaState | undefined> = {
  'I-AM-ALIVE': 'alive',
  'INDEX-NOT-LOADED': 'not-loaded',
  'INDEX-STALE': 'stale',
}

export function hmaClient(options: ClientOptions): HmaClient {
  const requester = createRequester(options)
  type Query = Record<string, string | number | boolean | undefined>
  const read = <T>(path: string, query: Query, given?: CallOptions) =>
    requester.json<T>({ name: `GET ${path}`, method: 'GET', path, query, repeatable: true }, given)
  const upload = <T>(path: string, query: Query, field: string, file: Upload, given: CallOptions) =>
    requester.json<T>(
      {
        name: `POST ${path}`,
        method: 'POST',
        path,
        query,
        body: { make: () => formOf(field, file) },
        repeatable: true,
      },
      given,
    )
  return {
    ...createHmaCurator(requester),
    hashUrl: ({ url, contentType, types }, given) =>
      read('/h/hash', { url, content_type: contentType, types: types?.join(',') }, given),
    hashFile: (contentType, file, { types, ...given } = {}) =>
      upload('/h/hash', { types: types?.join(',') }, contentType, file, given),
    lookup: ({ signal, signalType, banks, seed }, given) =>
      read('/m/lookup', { signal, signal_type: signalType, banks: banks?.join(','), seed }, given),
    lookupUrl: ({ url, contentType, types, banks, seed }, given) =>
      read(
        '/m/lookup',
        {
          url,
          content_type: contentType,
          types: types?.join(','),
          banks: banks?.join(','),
          seed,
        },
        given,
      ),
    lookupFile: (contentType, file, { types, banks, seed, bypassCoinflip, ...given } = {}) =>
      upload(
        '/m/lookup',
        {
          types: types?.join(','),
          banks: banks?.join(','),
          seed,
          // HMA takes this very word only.
          bypass_coinflip: bypassCoinflip === true ? 'true' : undefined,
        },
        contentType,
        file,
        given,
      ),
    async rawLookup({ signal, signalType, banks }, given) {
      const query = { signal, signal_type: signalType, banks: banks?.join(',') }
      const call = { name: 'GET /m/raw_lookup' }
      const answer = await read('/m/raw_lookup', { ...query, include_distance: true }, given)
      return listIn(call, objectIn(call, answer)['matches'])
    },
    compare: (pairs, given) =>
      requester.json(
        {
          name: 'POST /m/compare',
          method: 'POST',
          path: '/m/compare',
          json: pairs,
          repeatable: true,
        },
        given,
      ),
    indexStatus: (signalType, given) => read('/m/index/status', { signal_type: signalType }, given),
    state: (given) => stateOf(requester, given),
  }
}

/** Not tried again: 503 is what it is asked about. */
async function stateOf(
  requester: ReturnType<typeof createRequester>,
  given?: CallOptions,
): Promise<Wire.HmaState> {
  const { status, text } = await requester.text(
    {
      name: 'GET /status',
      method: 'GET',
      path: '/status',
      accept: 'text/html',
      accepts: [503],
      repeatable: true,
    },
    given,
  )
  const state = states[text.trim()]
  if (state === undefined)
    throw new ApiError('GET /status', { status, problem: {}, retryAfterMs: undefined })
  return state
}
