// /m: what the banks know about a signal or a file.
import type { HmaRole } from '../../config-hma.ts'
import type { Parts } from '../../service.ts'
import { may } from '../access.ts'
import { quoted, refuse } from './answers.ts'
import { isForm, readJson } from './body.ts'
import type { BodyReader } from './body.ts'
import { readFields } from './lax.ts'
import { createLookup } from './lookup.ts'
import type { Found, Lookup } from './lookup.ts'
import type { Hashes, Media } from './media.ts'
import { compareAll } from './compare.ts'
import { indexStatus } from './index-status.ts'
import { pythonRandom } from './python-random.ts'
import type { HmaContext, HmaRoute } from './route.ts'
import {
  distanceText,
  hmaTypesWith,
  invalidSentence,
  readValue,
  typeNamed,
} from './signal-names.ts'
import type { HmaType } from './signal-names.ts'
import type { TypeSwitch } from './type-switch.ts'

const shared = { role: 'matcher', needs: 'match:read' } as const

type MatchingGiven = {
  parts: Parts
  media: Media
  bodies: BodyReader
  types: TypeSwitch
  roles: readonly HmaRole[]
}

export function matchingRoutes(given: MatchingGiven): HmaRoute[] {
  const { parts, bodies } = given
  const near = createLookup(parts)
  const known = hmaTypesWith(parts.others)
  const lookup: LookupByName = async (name, signal, filter) =>
    lookupOne(near, await enabledType(given, name), signal, filter)
  return [
    ...lookupRoutes(given, lookup),
    {
      ...shared,
      method: 'GET',
      rule: '/m/index/status',
      about: 'How far each index is',
      query: ['signal_type'],
      answer: async (context) =>
        context.json(await indexStatus(parts, context.req.query('signal_type'))),
    },
    {
      ...shared,
      method: 'POST',
      rule: '/m/compare',
      about: 'Compare pairs of hashes with each other',
      body: 'json',
      answer: async (context) =>
        context.json(
          compareAll(known, await readJson(context, bodies, 'Request input was not a dict')),
        ),
    },
  ]
}

function lookupRoutes(given: MatchingGiven, lookup: LookupByName): HmaRoute[] {
  const { parts, media } = given
  const maySeeFiles = given.roles.includes('hasher')
  return [
    {
      ...shared,
      method: 'GET',
      rule: '/m/raw_lookup',
      about: 'Look up a hash, whatever the ratio of the banks',
      query: ['signal', 'signal_type', 'banks', 'include_distance'],
      answer: async (context) => context.json(await rawLookup(context, lookup)),
    },
    {
      ...shared,
      method: 'GET',
      rule: '/m/lookup',
      about: 'Look up a hash, or a file by its address',
      query: [
        'signal',
        'signal_type',
        'url',
        'content_type',
        'types',
        'banks',
        'seed',
        'bypass_coinflip',
      ],
      async answer(context) {
        needsDistance(context)
        needsNames(context)
        const query = context.req.query()
        const draw = readDraw(query, parts.random)
        if (isGiven(query['url'])) {
          if (!maySeeFiles) refuse(403, missingHasher)
          const only = query['signal_type']
          if (only !== undefined) await enabledType(given, only)
          const hashes = await media.fromUrl(context, query)
          const found = await lookupAll(lookup, hashes, draw)
          return context.json(only === undefined ? found : (found[only] ?? {}))
        }
        const { signal, signal_type: name } = query
        if (!isGiven(signal) || !isGiven(name))
          refuse(400, 'Either url or both signal and signal_type are required')
        return context.json(byBank(await lookup(name, signal, draw())))
      },
    },
    {
      ...shared,
      method: 'POST',
      rule: '/m/lookup',
      about: 'Look up an uploaded file; the name of its field is its content type',
      query: ['types', 'banks', 'seed', 'bypass_coinflip'],
      body: 'form',
      async answer(context) {
        needsDistance(context)
        needsNames(context)
        if (!maySeeFiles) refuse(403, missingHasher)
        if (!isForm(context)) refuse(400, 'Missing multipart/form-data file upload')
        const { bypass_coinflip: bypass, ...query } = context.req.query()
        const draw = readDraw(
          { ...query, ...(bypass === 'true' && { bypass_coinflip: bypass }) },
          parts.random,
        )
        const { hashes } = await media.fromForm(context, query)
        return context.json(await lookupAll(lookup, hashes, draw))
      },
    },
  ]
}

const missingHasher = 'Hashing is disabled, missing role'

/** How near a hash lies lets a caller walk towards it: a right of its own. */
function needsDistance(context: HmaContext): void {
  if (!may(context.get('access'), 'match:distance'))
    refuse(403, 'The answer carries distances: this needs a key with the scope match:distance.')
}

/** Restricted banks are named to who may read banks (promise 9). */
function needsNames(context: HmaContext): void {
  if (!may(context.get('access'), 'bank:read'))
    refuse(403, 'Banks are named here: this needs a key with the scope bank:read.')
}

async function rawLookup(
  context: HmaContext,
  lookup: LookupByName,
): Promise<{ matches: unknown[] }> {
  const query = context.req.query()
  const {
    signal,
    signal_type: name,
    include_distance: withDistance,
  } = readFields(query, {
    signal: { kind: 'text', required: true },
    signal_type: { kind: 'text', required: true },
    include_distance: { kind: 'yes-no' },
  })
  if (withDistance === true) needsDistance(context)
  const banks = bankNames(query)
  // Whether a name finds something tells that there is such a bank.
  if (banks !== undefined) needsNames(context)
  const found = await lookup(name, signal, { banks, coinflip: 0 })
  return {
    matches:
      withDistance === true
        ? found.map(({ match }) => match)
        : found.map(({ match }) => match.bank_content_id),
  }
}

type Draw = () => { banks: ReadonlySet<string> | undefined; coinflip: number }

/** Without a seed every signal type draws anew. */
function readDraw(query: Record<string, string>, random: () => number): Draw {
  const { bypass_coinflip: bypass } = readFields(query, { bypass_coinflip: { kind: 'yes-no' } })
  const { seed } = query
  const fixed = bypass === true ? 0 : seed === undefined ? undefined : pythonRandom(seed)
  const banks = bankNames(query)
  return () => ({ banks, coinflip: fixed ?? random() })
}

/** As they are written, blanks and all. */
function bankNames({ banks }: Record<string, string>): ReadonlySet<string> | undefined {
  return isGiven(banks) ? new Set(banks.split(',')) : undefined
}

/** An empty parameter counts as none. */
function isGiven(text: string | undefined): text is string {
  return text !== undefined && text !== ''
}

type LookupByName = (name: string, signal: string, filter: ReturnType<Draw>) => Promise<Hit[]>

type Hit = { bank: string; match: { bank_content_id: number; distance: string } }

async function lookupOne(
  lookup: Lookup,
  type: HmaType,
  signal: string,
  filter: ReturnType<Draw>,
): Promise<Hit[]> {
  const value = readValue(type, signal)
  if (value === undefined) return refuse(400, `invalid signal: ${invalidSentence(type)}`)
  const found = await lookup(type.ours, value, filter)
  return found.map(({ bank, content, distance }: Found) => ({
    bank: bank.name,
    match: { bank_content_id: content, distance: distanceText(type.ours, distance) },
  }))
}

/** A picture that shows too little matches nothing. */
async function lookupAll(lookup: LookupByName, hashes: Hashes, draw: Draw) {
  const found: Record<string, ReturnType<typeof byBank>> = {}
  for (const [name, value] of Object.entries(hashes))
    found[name] = value === '' ? {} : byBank(await lookup(name, value, draw()))
  return found
}

function byBank(hits: Hit[]): Record<string, Hit['match'][]> {
  const banks: Record<string, Hit['match'][]> = {}
  for (const { bank, match } of hits) (banks[bank] ??= []).push(match)
  return banks
}

async function enabledType({ parts, types }: MatchingGiven, name: string): Promise<HmaType> {
  const type =
    typeNamed(hmaTypesWith(parts.others), name) ?? refuse(400, `No such SignalType ${quoted(name)}`)
  if ((await types.off()).has(name)) refuse(400, `SignalType ${quoted(name)} is not enabled`)
  return type
}
