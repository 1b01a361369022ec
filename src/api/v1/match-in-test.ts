// The started service with two banks and keys that may see more or less, for the tests of lookups.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { TestContext } from 'node:test'
import { addContent, createBank } from '../../banks/bank-store.ts'
import type { BankClass, BankPolicy } from '../../domain/bank.ts'
import { canaryPicture } from '../../testing/canary.ts'
import { apiInTest } from '../api-in-test.ts'
import { checkedAsk } from '../openapi-check.ts'

export type Match = {
  match_id: string
  bank_name: string
  content?: number
  distance?: number
  similarity?: number
}
export type Answer = { match_count: number; matches: Match[] }
export type Item = Answer & { id?: string | number; error?: string }
export type Problem = { detail: string; code?: string }

export const digest = (text: string) => createHash('sha256').update(text).digest('hex')

/** The same hash with its first `bits` bits turned over. */
export function turnedOver(hash: string, bits: number): string {
  const bytes = Buffer.from(hash, 'hex')
  for (let bit = 0; bit < bits; bit += 1) {
    const at = bit >> 3
    bytes[at] = (bytes[at] ?? 0) ^ (128 >> (bit & 7))
  }
  return bytes.toString('hex')
}

/** Banks NCMEC (restricted) and SPAM (open). Keys: the operator's own PDS, a stranger, and one who may see distances. */
export async function matchInTest(t: Pick<TestContext, 'after'>) {
  const api = await apiInTest(t, { BLOBWATCH_API_REQUESTS_PER_SECOND: '100000' })
  const by = () => ({ principal: api.person, nowMs: Date.now() })
  const bank = (name: string, bankClass: BankClass, policy: Partial<BankPolicy> = {}) =>
    createBank(api.database.app, { name, mode: 'act', class: bankClass, policy, ...by() })
  const content = async (name: string, signals: Parameters<typeof addContent>[1]['signals']) =>
    (await addContent(api.database.app, { bank: name, signals, ...by() })).content
  async function hashOf(seed: number) {
    const { hasher } = api.service.parts
    const bytes = await canaryPicture({ seed })
    const { signals } = await hasher.hash({ bytes, signal: AbortSignal.timeout(30_000) })
    assert.ok(signals.pdq)
    return signals.pdq
  }
  const pdq = (await hashOf(1)).hash
  await bank('NCMEC', 'restricted')
  await bank('SPAM', 'open', { pdqDistanceMax: 31 })
  await content('NCMEC', [{ type: 'sha256', value: digest('known') }])
  await content('SPAM', [{ type: 'pdq', value: pdq, quality: 100 }])
  await content('SPAM', [{ type: 'md5', value: digest('spam').slice(0, 32) }])
  await api.service.parts.bankBook.refresh()
  return {
    ...{ api, pdq, bank, content, hashOf },
    ask: await checkedAsk(api),
    own: await api.key(['match:read', 'bank:read'], { name: 'pds' }),
    stranger: await api.key(['match:read'], { name: 'stranger' }),
    near: await api.key(['match:read', 'match:distance'], { name: 'near' }),
  }
}
