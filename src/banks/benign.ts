// Harmless pictures that a new content must not match: a small list of our own, and the banks that say so.
import { turnsOfHash } from '../domain/pdq-turns.ts'
import type { Hex } from '../domain/blob.ts'
import type { Database } from '../db/client.ts'
import { ask } from '../db/client.ts'
import { benignHashes } from './benign-hashes.ts'
import type { NewSignal } from './new-signal.ts'

/** `what`: the name of a picture of ours, or `bank NAME`. */
export type HarmlessHit = { what: string; distance: number }
export type BenignSet = {
  /** The first harmless picture that this signal would match, turned or not; a digest only when it is equal. */
  hit(signal: NewSignal, pdqDistanceMax: number): HarmlessHit | undefined
}

const words = 8

/** Everything that speaks for harmless pictures in this bank: our list and the negative banks that cover it. */
export async function readBenignSet(db: Database, bank: number): Promise<BenignSet> {
  const rows = await ask(
    'read the banks of harmless pictures',
    db<{ name: string; type: string; values: Uint8Array; bytes: number }[]>`
      select b.name, s.type, string_agg(s.value, ''::bytea) as values, min(length(s.value)) as bytes
      from bank b join bank_content c on c.bank = b.id join bank_signal s on s.content = c.id
      where b.policy ? 'suppresses' and b.id <> ${bank} and c.removed_at is null and s.state = 'live'
        and (b.policy->'suppresses' = '"all"' or b.policy->'suppresses' @> to_jsonb(${bank}::integer))
      group by b.name, s.type`,
  )
  const digests = new Map<string, string>()
  const pictures: { what: string; hashes: Uint32Array }[] = []
  for (const { name, type, values, bytes } of rows) {
    const what = `bank ${name}`
    if (type === 'pdq') pictures.push({ what, hashes: packedBytes(values) })
    else {
      const hex = Buffer.from(values).toString('hex')
      for (let at = 0; at < hex.length; at += bytes * 2)
        digests.set(`${type}:${hex.slice(at, at + bytes * 2)}`, what)
    }
  }
  return {
    hit(signal, max) {
      if (signal.type !== 'pdq') {
        const what = digests.get(`${signal.type}:${signal.value}`)
        return what === undefined ? undefined : { what, distance: 0 }
      }
      return nearOurs(signal.value, max) ?? nearBanks(signal.value, max, pictures)
    },
  }
}

/** Ours are turned once; of a bank's many signals none is: the one that comes is. */
function nearOurs(hash: Hex, max: number): HarmlessHit | undefined {
  ours ??= packed(
    benignHashes.flatMap(({ pdq }) => [pdq, ...turnsOfHash(pdq).map((turned) => turned.hash)]),
  )
  const at = nearestIn(packed([hash]), 0, ours, max)
  if (at === undefined) return undefined
  const perPicture = ours.length / benignHashes.length
  const what = benignHashes[Math.floor(at.index / perPicture)]?.name ?? 'a harmless picture'
  return { what, distance: at.distance }
}
let ours: Uint32Array | undefined

function nearBanks(
  hash: Hex,
  max: number,
  pictures: readonly { what: string; hashes: Uint32Array }[],
): HarmlessHit | undefined {
  if (pictures.length === 0) return undefined
  const forms = packed([hash, ...turnsOfHash(hash).map((turned) => turned.hash)])
  for (const { what, hashes } of pictures) {
    for (let form = 0; form < forms.length; form += words) {
      const found = nearestIn(forms, form, hashes, max)
      if (found !== undefined) return { what, distance: found.distance }
    }
  }
  return undefined
}

/**
 * The first of many hashes within `max` of the one at `form`; `index`: in words. Two hashes taken at random are told apart
 * after three words of eight.
 */
function nearestIn(
  forms: Uint32Array,
  form: number,
  hashes: Uint32Array,
  max: number,
): { index: number; distance: number } | undefined {
  const a = forms[form] as number
  const b = forms[form + 1] as number
  const c = forms[form + 2] as number
  for (let at = 0; at < hashes.length; at += words) {
    let distance =
      ones(a ^ (hashes[at] as number)) +
      ones(b ^ (hashes[at + 1] as number)) +
      ones(c ^ (hashes[at + 2] as number))
    for (let i = 3; i < words && distance <= max; i++) {
      distance += ones((forms[form + i] as number) ^ (hashes[at + i] as number))
    }
    if (distance <= max) return { index: at, distance }
  }
  return undefined
}

/** The bits set in a 32-bit word, added up in pairs, nibbles and bytes (Hacker's Delight 5-1). */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555)
  const nibbles = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333)
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24
}

function packed(hashes: readonly Hex[]): Uint32Array {
  return packedBytes(Buffer.from(hashes.join(''), 'hex'))
}

function packedBytes(bytes: Uint8Array): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Uint32Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getUint32(i * 4))
}
