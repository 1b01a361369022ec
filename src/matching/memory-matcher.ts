// The bank index: digests in a map, PDQ by a linear scan over packed words. Exact by construction.
//
// Promises: finds what a linear scan over the live signals finds, in the order (bank, content, signal); a change is seen
// by the next lookup. Assumes that all signals fit in memory. Nothing survives a crash: it is read again from the database.
import { pdqQualityMin } from '../domain/blob.ts'
import type { Hex } from '../domain/blob.ts'
import type { BankSignal, Match } from '../domain/bank.ts'
import type { Clock, Matcher } from '../domain/ports.ts'

export type ContentState = {
  id: number
  bankId: number
  /** HMA's: 0 disabled, 1 enabled, else disabled until that unix second. */
  disableUntilTs: number
  removed: boolean
  signals: BankSignal[]
}

export type MemoryMatcher = Matcher & {
  /** Replaces the contents named here; the rest stays. `pdqDistanceMax` by bank id replaces all distances. */
  apply(change: {
    generation: number
    contents: readonly ContentState[]
    pdqDistanceMax: ReadonlyMap<number, number>
  }): void
  size(): number
}

type PdqSlot = { signal: BankSignal; words: Uint32Array }

export function createMemoryMatcher({ clock }: { clock: Clock }): MemoryMatcher {
  const contents = new Map<number, ContentState>()
  const digests = new Map<string, Map<number, BankSignal>>()
  const pdq = new Map<number, PdqSlot>()
  let distances: ReadonlyMap<number, number> = new Map()
  let generation = 0

  const forget = (content: ContentState) => {
    for (const signal of content.signals) {
      pdq.delete(signal.id)
      digests.get(digestKey(signal.type, signal.value))?.delete(signal.id)
    }
    contents.delete(content.id)
  }
  const remember = (content: ContentState) => {
    contents.set(content.id, content)
    for (const signal of content.signals) {
      if (signal.type === 'pdq') {
        pdq.set(signal.id, { signal, words: packWords(signal.value) })
      } else {
        const key = digestKey(signal.type, signal.value)
        const slot = digests.get(key) ?? new Map<number, BankSignal>()
        digests.set(key, slot.set(signal.id, signal))
      }
    }
  }
  const isEnabled = (contentId: number, nowSeconds: number) => {
    const until = contents.get(contentId)?.disableUntilTs ?? 0
    return until === 1 || (until > 1 && until <= nowSeconds)
  }

  return {
    generation: () => generation,
    size: () => [...contents.values()].reduce((sum, content) => sum + content.signals.length, 0),
    apply(change) {
      for (const content of change.contents) {
        const before = contents.get(content.id)
        if (before !== undefined) forget(before)
        if (!content.removed) remember(content)
      }
      distances = change.pdqDistanceMax
      generation = change.generation
    },
    match(signals) {
      const nowSeconds = clock() / 1000
      const found: Match[] = []
      for (const type of ['sha256', 'md5', 'sha1'] as const) {
        const value = signals[type]
        if (value === undefined) continue
        for (const signal of digests.get(digestKey(type, value))?.values() ?? []) {
          found.push(toMatch(signal, 0))
        }
      }
      if (signals.pdq !== undefined && signals.pdq.quality >= pdqQualityMin) {
        const words = packWords(signals.pdq.hash)
        for (const slot of pdq.values()) {
          const distance = hamming(words, slot.words)
          if (distance <= (distances.get(slot.signal.bankId) ?? -1))
            found.push(toMatch(slot.signal, distance))
        }
      }
      const matches = found.filter((match) => isEnabled(match.contentId, nowSeconds)).sort(byBank)
      return { matches, generation }
    },
  }
}

function digestKey(type: string, value: Hex): string {
  return `${type}:${value}`
}

function toMatch(signal: BankSignal, distance: number): Match {
  const { id, contentId, bankId, type } = signal
  return { signalId: id, contentId, bankId, type, distance }
}

function byBank(a: Match, b: Match): number {
  return a.bankId - b.bankId || a.contentId - b.contentId || a.signalId - b.signalId
}

function packWords(hash: Hex): Uint32Array {
  return Uint32Array.from({ length: 8 }, (_, i) =>
    Number.parseInt(hash.slice(i * 8, i * 8 + 8), 16),
  )
}

function hamming(a: Uint32Array, b: Uint32Array): number {
  let sum = 0
  for (let i = 0; i < 8; i++) sum += popcount((a[i] as number) ^ (b[i] as number))
  return sum
}

/** Bits set in a 32-bit word (Hacker's Delight, 5-1). */
function popcount(word: number): number {
  let v = word - ((word >>> 1) & 0x55555555)
  v = (v & 0x33333333) + ((v >>> 2) & 0x33333333)
  return Math.imul((v + (v >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}
