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
import { refuse } from './answers.ts'
import { author } from './banks.ts'
import type { CuratorGiven } from './banks.ts'
import { bankHere, contentIn, editContent, shown } from './bank-facts.ts'
import type { StoredContent } from './bank-facts.ts'
import { isForm, readJson, readJsonIfAny } from './body.ts'
import type { Hashes, Media } from './media.ts'
import { metadataKept, metadataShown, readMetadata } from './metadata.ts'
import type { HmaContext, HmaRoute } from './route.ts'
import { hmaTypesWith, invalidSentence, nameOf, readValue, typeNamed } from './signal-names.ts'

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
        const given = await readJson(context, bodies)
        const until = given['disable_until_ts']
        await editContent(db, {
          ...{ bank: bank.name, content: content.id, principal, nowMs },
          ...(until !== undefined && { disableUntilTs: readUntil(until, nowMs) }),
          // Without a text the note goes.
          ...(given['note'] !== undefined && { note: noteOf(given['note']) ?? '' }),
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
        if ((query['url'] ?? '') !== '') {
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
          const type = typeNamed(known, name) ?? refuse(400, unknownType(name))
          if (typeof signals[name] !== 'string')
            refuse(400, `Invalid ${name} signal: ${invalidSentence(type)}`)
        }
        return add(context, bank, signals as Hashes, wordsOf({ note, metadata }))
      },
    },
  ]
}

async function contentHere({ db }: Parts, bank: Bank, id: number): Promise<StoredContent> {
  const content = await contentIn(db, bank, id)
  return content ?? refuse(404, `content '${String(id).slice(0, 20)}' not found`)
}

type Words = { note?: string; metadata?: object }

function wordsOf(given: Record<string, unknown>): Words {
  const note = noteOf(given['note'])
  const read = readMetadata(given['metadata'])
  return {
    ...(note !== undefined && { note }),
    ...(read !== undefined && { metadata: sentence(() => checkMetadata(read)) }),
  }
}

/** What Python takes for nothing is no note. */
function noteOf(note: unknown): string | undefined {
  if (!note) return undefined
  if (typeof note !== 'string') return refuse(400, 'note should be a string')
  if (Array.from(note).length > contentLimits.noteCharsMax)
    refuse(400, `note must be at most ${contentLimits.noteCharsMax} characters`)
  return sentence(() => parseNote(note))
}

function sentence<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof UsageError) return refuse(400, error.message)
    throw error
  }
}

/** As Python's `int` reads it: a fraction is cut off, a text has none. */
function readUntil(given: unknown, nowMs: number): number {
  const isFine =
    typeof given === 'string' ? /^\s*[+-]?\d{1,15}\s*$/.test(given) : Number.isFinite(Number(given))
  if (!isFine || typeof given === 'object') return refuse(400, 'Invalid int')
  const until = Math.trunc(Number(given))
  if (until < 0) refuse(400, 'disable_until_ts must be a non-negative integer')
  const { disableYearsMax: years } = contentLimits
  if (until > nowMs / 1000 + years * 365 * 86_400)
    refuse(400, `disable_until_ts must be less than ${years} years in the future`)
  return until
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
      return context.json({
        id: admitted.content,
        signals: Object.fromEntries(
          Object.keys(hashes).map((name, at) => [name, signals[at]?.value]),
        ),
      })
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
  const type = typeNamed(hmaTypesWith(others), name) ?? refuse(400, unknownType(name))
  const value =
    readValue(type, text) ?? refuse(400, `Invalid ${name} signal: ${invalidSentence(type)}`)
  return parseSignal({ type: type.ours, value }, others)
}

function unknownType(name: string): string {
  return `No such signal type ${name.slice(0, 100)}`
}

function asksSignals(query: Record<string, string>): boolean {
  return query['include_signals']?.toLowerCase() === 'true'
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
  const withMetadata = (query['include_metadata'] ?? 'true').toLowerCase() === 'true'
  const collab = collabOf(content)
  const words = metadataShown(content.metadata)
  return {
    id: content.id,
    disable_until_ts: content.disableUntilTs,
    original_media_uri: null,
    bank: shown(bank),
    ...(asksSignals(query) && { signals: signalsShown(content) }),
    ...(withMetadata &&
      (words ?? collab) !== undefined && {
        metadata: { ...(words ?? metadataShown({})), collab: collab ?? null },
      }),
    ...(content.note !== null && content.note !== '' && { note: content.note }),
  }
}

function afterChange(bank: Bank, content: StoredContent) {
  return {
    id: content.id,
    disable_until_ts: content.disableUntilTs,
    collab_metadata: collabOf(content) ?? {},
    original_media_uri: null,
    bank: shown(bank),
    user_metadata: metadataKept(content.metadata),
    note: content.note === '' ? null : content.note,
  }
}

/** Where it came from. Some programmes number a record by its hash: that never leaves. */
function collabOf({ exchange, fetchId }: StoredContent): Record<string, string[]> | undefined {
  if (exchange === null || fetchId === null || looksLikeHash.test(fetchId)) return undefined
  return { [exchange]: [fetchId] }
}

const looksLikeHash = /[0-9a-f]{32}/i

/** One of each type, the oldest, as HMA's table has it. */
function signalsShown({ signals }: StoredContent): Record<string, string> {
  return Object.fromEntries(signals.toReversed().map(({ type, value }) => [nameOf(type), value]))
}
