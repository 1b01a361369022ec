// Generated banks and lookups for the tests of the bank index: few values, so that they meet.
import fc from 'fast-check'
import { signalDigits, signalTypes } from '../domain/blob.ts'
import type { Signals, SignalType } from '../domain/blob.ts'
import type { MatchOptions } from '../domain/ports.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'
import { variants } from '../domain/variant.ts'

export type Row = {
  signalId: number
  contentId: number
  bankId: number
  type: SignalType
  value: string
}

export const nowSeconds = 1_800_000_000

/** One batch a type, in the order of `signalTypes`. */
export function* rowsOf(rows: readonly Row[]): Generator<SignalBatch> {
  for (const type of signalTypes) {
    const some = rows.filter((row) => row.type === type)
    if (some.length === 0) continue
    yield {
      type,
      count: some.length,
      values: Uint8Array.from(Buffer.from(some.map(({ value }) => value).join(''), 'hex')),
      signalIds: Uint32Array.from(some, ({ signalId }) => signalId),
      contentIds: Uint32Array.from(some, ({ contentId }) => contentId),
      bankIds: Uint32Array.from(some, ({ bankId }) => bankId),
    }
  }
}

export async function* batchesOf(rows: readonly Row[]): AsyncGenerator<SignalBatch> {
  for (let from = 0; from < rows.length; from += 7) yield* rowsOf(rows.slice(from, from + 7))
}

/** A base with some bits turned over; two of one base are 0 to 80 bits apart. */
const hashHex = (digits: number) =>
  fc
    .tuple(
      fc.constantFrom('00', 'f3'),
      fc.uniqueArray(fc.integer({ min: 0, max: digits * 4 - 1 }), { maxLength: 40 }),
    )
    .map(([base, flips]) => {
      const bytes = Buffer.from(base.repeat(digits / 2), 'hex')
      for (const bit of flips) bytes[bit >> 3]! ^= 1 << (bit & 7)
      return bytes.toString('hex')
    })
/** Equal but for the last digit. */
const digestHex = (digits: number) =>
  fc.constantFrom('a', 'b').map((last) => 'a'.repeat(digits - 1) + last)

const valueOf = (type: SignalType) =>
  type === 'pdq' || type === 'clip' ? hashHex(signalDigits[type]) : digestHex(signalDigits[type])

/** One does not fit in 16 bits. */
export const bankIds = [1, 2, 70_000]

/** The content's bank follows from its id, as in life. */
const rowOf = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.constantFrom(...signalTypes))
  .chain(([contentId, type]) =>
    valueOf(type).map((value) => ({ contentId, bankId: bankIds[contentId % 3]!, type, value })),
  )

/** `removed`: shares of the highest signal id so far; ids that are gone or never were are in it too. */
export const changeOf = fc.record({
  rows: fc.array(rowOf, { maxLength: 30 }),
  removed: fc.array(fc.double({ min: 0, max: 1.1, noNaN: true }), { maxLength: 8 }),
  disabled: fc.array(
    fc.tuple(
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom(0, 1, nowSeconds - 5, nowSeconds, nowSeconds + 5),
    ),
    { maxLength: 4 },
  ),
  distances: fc.array(
    fc.record({
      pdq: fc.oneof(fc.integer({ min: 0, max: 31 }), fc.integer({ min: 0, max: 64 })),
      clip: fc.integer({ min: 0, max: 128 }),
    }),
    { minLength: 1, maxLength: 3 },
  ),
})

const quality = fc.constantFrom(0, 49, 50, 100)
const picture = fc.record({ hash: hashHex(64), quality })

export const queryOf: fc.Arbitrary<{ signals: Signals; options: MatchOptions }> = fc.record({
  signals: fc.record(
    {
      sha256: digestHex(64),
      md5: digestHex(32),
      sha1: digestHex(40),
      pdq: picture,
      variants: fc.uniqueArray(
        fc.tuple(fc.constantFrom(...variants.slice(1)), picture).map(([variant, rest]) => ({
          variant,
          ...rest,
        })),
        { maxLength: 8, selector: ({ variant }) => variant },
      ),
      clip: hashHex(128),
    },
    { requiredKeys: ['sha256'] },
  ),
  options: fc.constantFrom(
    {},
    {},
    { distanceMax: { pdq: 10 } },
    { distanceMax: { pdq: 64, clip: 5 } },
  ),
})
