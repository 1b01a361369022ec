// /c/bank/<name>/content and /signal: contents come in by the same admission as `bank add`, are shown, changed and removed.
//
// Promises: nothing comes in that the test before it refuses; what waits for a second person is a 403 that says how to
// approve it, and asks no second time. Signals of a confidential bank never leave.
import { randomUUID } from 'node:crypto'
import { noteExport } from '../../banks/bank-export.ts'
import { checkMetadata, parseNote } from '../../banks/content-words.ts'
import { parseSignal } from '../../banks/new-signal.ts'
import type { NewSignal } from '../../banks/new-signal.ts'
import { removeContent } from '../../banks/bank-store.ts'
import type { OtherTypes } from '../../domain/other-type.ts'
import type { Bank } from '../../domain/bank.ts'
import { UsageError } from '../../domain/errors.ts'
import { admit, examine } from '../../roles/admit.ts'
import type { Parts } from '../../service.ts'
import { may } from '../access.ts'
import { createTurns } from '../turns.ts'
import { quoted, refuse } from './answers.ts'
import { author } from './banks.ts'
import type { CuratorGiven } from './banks.ts'
import { bankHere, contentIn, editContent, shown } from './bank-facts.ts'
import type { StoredContent } from './bank-facts.ts'
import { isForm, readJson, readJsonIfAny } from './body.ts'
import { readFields, readYesNo } from './lax.ts'
import type { Hashes, Media } from './media.ts'
import { metadataShown, readMetadata } from './metadata.ts'
import type { HmaContext, HmaRoute } from './route.ts'
import { hmaTypesWith, nameOf, readValue, typeNamed } from './signal-names.ts'

export const contentLimits = {
  noteCharsMax: 255,
  disableYearsMax: 5,
  testsAtOnce: 2,
  testsWaitingMax: 32,
} as const

type ContentGiven = CuratorGiven & { media: Media }

const writes = { role: 'curator', needs: 'bank:write' } as const
const one = '/c/bank/<bank_name>/content/<int:content_id>'

export function contentRoutes(given: ContentGiven): HmaRoute[] {
  return [...routesOfOne(given), ...addingRoutes(given)]
}

function routesOfOne({ parts, bodies }: ContentGiven): HmaRoute[] {
  const { db } = parts
  const bankOf = (context: HmaContext) => bankHere(db, context.req.param('bank_name') ?? '')
  const idOf = (context: HmaContext) => Number(context.req.param('content_id'))
  return [
    {
      method: 'GET',
      rule: one,
      role: 'curator',
      needs: 'bank:read',
      about: 'Show a content',
      query: ['include_signals', 'include_metadata'],
      async answer(context) {
        const bank = await bankOf(context)
        const content = await contentHere(parts, bank, idOf(context))
        const query = context.req.query()
        if (asksSignals(query) && content.signals.length > 0)
          await noteLeaving(context, parts, bank)
        return context.json(describe(bank, content, query))
      },
    },
    {
      ...writes,
      method: 'PUT',
      rule: one,
      about: 'Disable or enable a content, or change its note',
      body: 'json',
      async answer(context) {
        const bank = await bankOf(context)
        const content = await contentHere(parts, bank, idOf(context))
        const { nowMs, principal } = author(context, parts)
        const given = readFields(await readJson(context, bodies), {
          disable_until_ts: { kind: 'whole' },
          note: { kind: 'text' },
        })
        const until = given.disable_until_ts
        if (until !== undefined) checkUntil(until, nowMs)
        const note = given.note === undefined ? undefined : noteOf(given.note)
        await editContent(db, {
          ...{ bank: bank.name, content: content.id, principal, nowMs },
          ...(until !== undefined && { disableUntilTs: until }),
          ...(note !== undefined && { note }),
        })
        return context.json(afterChange(bank, await contentHere(parts, bank, content.id)))
      },
    },
    {
      ...writes,
      method: 'DELETE',
      rule: one,
      about: 'Remove a content',
      async answer(context) {
        const bank = await bankOf(context)
        const content = await contentIn(db, bank, idOf(context))
        if (content === undefined) return context.json({ deleted: 0 })
        await removeContent(db, { bank: bank.name, content: content.id, ...author(context, parts) })
        return context.json({ deleted: 1 })
      },
    },
  ]
}

function addingRoutes({ parts, bodies, media }: ContentGiven): HmaRoute[] {
  // Each test reads all that was seen in the kept window.
  const testing = createTurns({
    slots: contentLimits.testsAtOnce,
    waitingMax: contentLimits.testsWaitingMax,
  })
  const add = (context: HmaContext, bank: Bank, hashes: Hashes, words: Words) =>
    testing(() => addTested(context, parts, bank, hashes, words))
  const bankOf = (context: HmaContext) => bankHere(parts.db, context.req.param('bank_name') ?? '')
  return [
    {
      ...writes,
      method: 'POST',
      rule: '/c/bank/<bank_name>/content',
      about: 'Add a content by its address or as an upload',
      query: ['url', 'content_type', 'types'],
      body: 'form',
      async answer(context) {
        const bank = await bankOf(context)
        const query = context.req.query()
        if (query['url'] !== undefined) {
          const words = wordsOf(await readJsonIfAny(context, bodies))
          return add(context, bank, await media.fromUrl(context, query), words)
        }
        if (!isForm(context)) refuse(400, 'Neither `url` nor multipart file upload was received')
        const { hashes, texts } = await media.fromForm(context, query)
        return add(context, bank, hashes, wordsOf(Object.fromEntries(texts)))
      },
    },
    {
      ...writes,
      method: 'POST',
      rule: '/c/bank/<bank_name>/signal',
      about: 'Add a content by its signals',
      body: 'json',
      async answer(context) {
        const bank = await bankOf(context)
        const { note, metadata, ...signals } = await readJson(context, bodies)
        const names = Object.keys(signals)
        const known = hmaTypesWith(parts.others)
        for (const name of names.slice(0, known.length + 1)) {
          if (typeNamed(known, name) === undefined)
            refuse(400, `No such signal type ${quoted(name)}`)
          if (typeof signals[name] !== 'string') refuse(400, `Invalid ${name} signal`)
        }
        return add(context, bank, signals as Hashes, wordsOf({ note, metadata }))
      },
    },
  ]
}

async function contentHere({ db }: Parts, bank: Bank, id: number): Promise<StoredContent> {
  const content = await contentIn(db, bank, id)
  return content ?? refuse(404, `content id '${String(id).slice(0, 20)}' not found`)
}

type Words = { note?: string; metadata?: object }

function wordsOf(given: Record<string, unknown>): Words {
  const { note, metadata } = given
  if (note !== undefined && note !== null && typeof note !== 'string')
    refuse(400, 'note must be a string')
  const read = readMetadata(metadata)
  return {
    ...(typeof note === 'string' && note !== '' && { note: noteOf(note) }),
    ...(read !== undefined && { metadata: sentence(() => checkMetadata(read)) }),
  }
}

function noteOf(note: string): string {
  if (note.length > contentLimits.noteCharsMax)
    refuse(400, `note must be at most ${contentLimits.noteCharsMax} characters`)
  return note === '' ? note : sentence(() => parseNote(note))
}

function sentence<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof UsageError) return refuse(400, error.message)
    throw error
  }
}

function checkUntil(until: number, nowMs: number): void {
  const latest = nowMs / 1000 + contentLimits.disableYearsMax * 366 * 86_400
  if (until < 0 || until > latest)
    refuse(
      400,
      `disable_until_ts must be between 0 and ${contentLimits.disableYearsMax} years from now`,
    )
}

async function addTested(
  context: HmaContext,
  parts: Parts,
  bank: Bank,
  hashes: Hashes,
  words: Words,
): Promise<Response> {
  const { db, others, config: settings } = parts
  const signals = Object.entries(hashes).map(([name, value]) => signalOf(name, value, others))
  if (signals.length === 0) refuse(400, 'No signals given')
  const { principal, nowMs } = author(context, parts)
  const examined = await examine({
    db,
    bank,
    contents: [signals],
    others,
    settings,
    nowMs,
    signal: context.req.raw.signal,
  })
  const [content] = examined.contents
  if (content === undefined) throw new TypeError('examine answers for each content')
  const admitted = await admit({
    db,
    bank,
    examined,
    content,
    others,
    settings,
    ...words,
    principal,
    nowMs,
  })
  switch (admitted.kind) {
    case 'added':
      return context.json({ id: admitted.content, signals: hashes })
    case 'refused':
      return refuse(
        400,
        `Invalid ${Object.keys(hashes)[0]} signal: it says nothing about one picture`,
      )
    case 'proposed':
      return refuse(
        403,
        `This content waits for a second person (${admitted.why.join(', ')}): blobwatch approval approve ${admitted.proposal}`,
      )
    case 'needs-count':
      return refuse(
        403,
        `It would concern ${admitted.accounts} accounts: a person adds it with blobwatch bank add --accounts ${admitted.accounts}`,
      )
    default:
      return admitted satisfies never
  }
}

function signalOf(name: string, text: string, others: OtherTypes): NewSignal {
  const type =
    typeNamed(hmaTypesWith(others), name) ?? refuse(400, `No such signal type ${quoted(name)}`)
  const value = readValue(type, text) ?? refuse(400, `Invalid ${name} signal: ${valueRule(text)}`)
  return parseSignal({ type: type.ours, value }, others)
}

function valueRule(text: string): string {
  return text === '' ? 'the picture shows too little' : 'it is not of that form'
}

function asksSignals(query: Record<string, string>): boolean {
  return readYesNo(query['include_signals'] ?? 'false') === true
}

/** Values that leave a restricted bank are a right of their own, and in the ledger, as `bank export` has it. */
async function noteLeaving(context: HmaContext, parts: Parts, bank: Bank): Promise<void> {
  if (bank.class !== 'restricted') return
  if (!may(context.get('access'), 'export'))
    refuse(
      403,
      'Signals leave a restricted bank only with the scope export; without keys, with BLOBWATCH_HMA_WRITE=on.',
    )
  const leaving = { bank: bank.name, contents: 1, format: 'hma' as const, id: randomUUID() }
  await noteExport(parts.db, { ...leaving, ...author(context, parts) })
}

function describe(bank: Bank, content: StoredContent, query: Record<string, string>) {
  const withMetadata = readYesNo(query['include_metadata'] ?? 'true') === true
  const metadata = metadataShown(content.metadata)
  return {
    id: content.id,
    disable_until_ts: content.disableUntilTs,
    original_media_uri: null,
    bank: shown(bank),
    ...(asksSignals(query) && { signals: signalsShown(content) }),
    ...(withMetadata && metadata !== undefined && { metadata: { ...metadata, collab: null } }),
    ...(content.note !== null && content.note !== '' && { note: content.note }),
  }
}

function afterChange(bank: Bank, content: StoredContent) {
  return {
    id: content.id,
    disable_until_ts: content.disableUntilTs,
    collab_metadata: {},
    original_media_uri: null,
    bank: shown(bank),
    user_metadata: metadataShown(content.metadata) ?? null,
    note: content.note === '' ? null : content.note,
  }
}

/** One of each type, the oldest, as HMA's table has it. */
function signalsShown({ signals }: StoredContent): Record<string, string> {
  return Object.fromEntries(signals.toReversed().map(({ type, value }) => [nameOf(type), value]))
}
