// Admission: what happens before a content goes live. It is tested by itself, against harmless pictures, and against what was
// seen in the kept window; the result is shown, recorded, and lets the content in, asks for a second person, or refuses it.
//
// Promises: nothing comes into a bank without a recorded admission of exactly these signals; the database holds to that.
// `examine` reads only. A crash between the record and the change leaves an admission that nothing came of.
import { hoursAt, judgeContent, needsCount } from '../banks/admission.ts'
import type { AdmissionResult, SeenFacts, Why } from '../banks/admission.ts'
import { recordAdmission } from '../banks/admission-store.ts'
import { addContent } from '../banks/bank-store.ts'
import { readBenignSet } from '../banks/benign.ts'
import type { HarmlessHit } from '../banks/benign.ts'
import { refusalOf } from '../banks/new-signal.ts'
import type { NewSignal, SignalRefusal } from '../banks/new-signal.ts'
import { proposeContent } from '../banks/proposals.ts'
import type { Config } from '../config.ts'
import type { Database } from '../db/client.ts'
import type { Bank } from '../domain/bank.ts'
import type { OtherTypes } from '../domain/other-type.ts'
import { maxOf } from './explain-now.ts'
import { previewContents } from './preview.ts'
import type { ContentPreview, Preview, PreviewSignal } from './preview.ts'

/** The settings that admission follows. */
export type AdmissionSettings = Pick<
  Config,
  'keepDays' | 'limits' | 'admission' | 'pdsRequestsPerSecond'
>

export type ExaminedContent = {
  /** What is left of the signals that were given. */
  signals: NewSignal[]
  refused: { signal: NewSignal; refusal: SignalRefusal }[]
  harmless?: HarmlessHit
  seen: ContentPreview
}

export type Examined = {
  contents: ExaminedContent[]
  /** Of all contents at once: each blob and account counts once. */
  total: ContentPreview
  comparedBlobs: number
  /** What the bank would ask for: at most, and at the permitted rates. Taking back has no rate of its own. */
  actions: { takedowns: number; labels: number; hours: number; hoursToUndo: number }
  /** More accounts than this many are named by a person who types their number. */
  needsCount: boolean
}

const nothingSeen: ContentPreview = { blobs: 0, sightings: 0, accounts: 0, oldest: null }

/** Reads only. `contents`: parsed signals, one list a content. */
export async function examine(options: {
  db: Database
  bank: Bank
  contents: readonly (readonly NewSignal[])[]
  /** The types of plug-ins that signals may be of. */
  others: OtherTypes
  settings: AdmissionSettings
  nowMs: number
  onProgress?: (done: number, of: number) => void
  signal?: AbortSignal
}): Promise<Examined> {
  const { db, bank, settings, others } = options
  const isNegative = bank.policy.suppresses !== undefined
  const benign = isNegative ? undefined : await readBenignSet(db, bank.id)
  const tested = options.contents.map((signals) => {
    const refused = signals.flatMap((signal) => {
      const refusal = refusalOf(signal)
      return refusal === undefined ? [] : [{ signal, refusal }]
    })
    const left = signals.filter((signal) => refused.every((one) => one.signal !== signal))
    const harmless = left
      .map((signal) => benign?.hit(signal, bank.policy.pdqDistanceMax))
      .find((hit) => hit !== undefined)
    return { signals: left, refused, ...(harmless !== undefined && { harmless }) }
  })
  const preview = await previewContents({
    db,
    contents: tested.map(({ signals }) => previewSignals(signals, bank, others)),
    keepDays: settings.keepDays,
    nowMs: options.nowMs,
    ...(options.onProgress && { onProgress: options.onProgress }),
    ...(options.signal && { signal: options.signal }),
  })
  return {
    contents: tested.map((one, index) => ({
      ...one,
      seen: preview.byContent.get(index) ?? nothingSeen,
    })),
    total: preview.total,
    comparedBlobs: preview.comparedBlobs,
    actions: actionsOf(preview, bank, settings),
    needsCount: needsCount(preview.total.accounts),
  }
}

export function previewSignals(
  signals: readonly NewSignal[],
  bank: Bank,
  others: OtherTypes,
): PreviewSignal[] {
  return signals.map(({ type, value }) => {
    const { version, radius } = others.get(type) ?? {}
    const distanceMax = maxOf(type, bank) ?? radius ?? 0
    return { type, value, distanceMax, ...(version !== undefined && { version }) }
  })
}

export function actionsOf(
  { wouldAct }: Pick<Preview, 'wouldAct'>,
  bank: Bank,
  { limits, pdsRequestsPerSecond }: AdmissionSettings,
): Examined['actions'] {
  const asks = bank.policy.actions
  const takedowns = asks.some((kind) => kind !== 'label') ? wouldAct.takedowns : 0
  const labels = asks.includes('label') ? wouldAct.labels : 0
  return {
    takedowns,
    labels,
    hours: Math.max(
      hoursAt(takedowns, limits.takedownsPerDay),
      hoursAt(labels, limits.labelsPerDay),
    ),
    hoursToUndo: Math.ceil(
      ((takedowns + labels) * requestsPerUndo) / pdsRequestsPerSecond / secondsPerHour,
    ),
  }
}

/** A reversal waits for no cap, only for the host: whose it is, take back, read back. */
const requestsPerUndo = 3
const secondsPerHour = 3600

export type Admitted =
  | { kind: 'added'; content: number }
  | { kind: 'proposed'; proposal: number; aloneUntil: Date | null; why: Why[] }
  | { kind: 'refused'; why: Why[] }
  /** A person types the number of accounts first: `examined.total.accounts`. */
  | { kind: 'needs-count'; accounts: number }

/** Brings one examined content in, or asks a second person. `typedAccounts`: the number of all contents at once. */
export async function admit(options: {
  db: Database
  bank: Bank
  examined: Examined
  content: ExaminedContent
  others: OtherTypes
  settings: AdmissionSettings
  note?: string | undefined
  metadata?: object | undefined
  provenance?: object | undefined
  disableUntilTs?: number | undefined
  typedAccounts?: number | undefined
  principal: number
  nowMs: number
}): Promise<Admitted> {
  const { db, bank, examined, content, others, settings, typedAccounts, principal, nowMs } = options
  const { verdict, why } = judgeContent(
    {
      signalsLeft: content.signals.length,
      harmless: content.harmless !== undefined,
      accounts: content.seen.accounts,
      accountsAtOnce: examined.total.accounts,
      typedAccounts,
    },
    settings.admission,
  )
  if (why.includes('count')) return { kind: 'needs-count', accounts: examined.total.accounts }
  const admission = await recordAdmission(db, {
    bank: bank.name,
    kind: 'content',
    verdict,
    result: resultOf(options),
    signals: content.signals,
    principal,
    nowMs,
  })
  if (verdict === 'refused') return { kind: 'refused', why }
  const { signals } = content
  const { note, metadata, provenance, disableUntilTs } = options
  const given = {
    ...(note !== undefined && { note }),
    ...(metadata !== undefined && { metadata }),
    ...(provenance !== undefined && { provenance }),
    ...(disableUntilTs !== undefined && { disableUntilTs }),
  }
  if (verdict === 'waits') {
    const payload = { signals, ...given }
    const reason = why.join(', ')
    const asked = { admission, payload, reason, principal, nowMs }
    return { kind: 'proposed', why, ...(await proposeContent(db, asked)) }
  }
  const added = await addContent(db, {
    bank: bank.name,
    signals,
    others,
    admission,
    principal,
    nowMs,
    ...given,
  })
  return { kind: 'added', content: added.content }
}

function resultOf(options: {
  bank: Bank
  examined: Examined
  content: ExaminedContent
  settings: AdmissionSettings
  typedAccounts?: number | undefined
}): AdmissionResult {
  const { bank, examined, content, settings, typedAccounts } = options
  const refused: AdmissionResult['refused'] = {}
  for (const { refusal } of content.refused) refused[refusal] = (refused[refusal] ?? 0) + 1
  const asks = bank.policy.actions
  return {
    contents: 1,
    refused,
    harmless: content.harmless === undefined ? 0 : 1,
    seen: seenFacts({
      settings,
      comparedBlobs: examined.comparedBlobs,
      comparedContents: 1,
      total: content.seen,
      takedowns: asks.length === 0 ? 0 : examined.actions.takedowns,
      labels: examined.actions.labels,
      overLimit: content.seen.accounts > settings.admission.secondPersonAccounts ? 1 : 0,
    }),
    ...(typedAccounts !== undefined && { typedAccounts }),
  }
}

export function seenFacts(found: {
  settings: AdmissionSettings
  comparedBlobs: number
  comparedContents: number
  total: ContentPreview
  takedowns: number
  labels: number
  overLimit: number
}): SeenFacts {
  const { settings, total, ...counts } = found
  return {
    days: settings.keepDays,
    ...counts,
    blobs: total.blobs,
    sightings: total.sightings,
    accounts: total.accounts,
    oldest: total.oldest?.toISOString() ?? null,
  }
}
