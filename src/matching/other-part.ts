// The part of a plug-in's type: a linear scan over its values, each padded with zeros to the 64 bytes of a row of `clip`.
//
// Promises: those of scan-index.ts. In memory in both layouts: of these there are few.
import type { OtherSignal, OtherType } from '../domain/blob.ts'
import { otherDigitsMax } from '../domain/other-type.ts'
import type { OtherRule, OtherTypes } from '../domain/other-type.ts'
import type { OtherBatch, SignalBatch } from '../domain/signal-batch.ts'
import type { IndexPart, RowHit } from './index-part.ts'
import { createScanIndex } from './scan-index.ts'

export const rowWidth = otherDigitsMax / 2

export type OtherPart = Omit<IndexPart, 'load' | 'add' | 'search'> & {
  load(batches: AsyncIterable<OtherBatch>, expected?: number): Promise<void>
  add(batch: OtherBatch): void
  search(queries: Uint8Array, radius: number): RowHit[]
}

export function createOtherParts(others: OtherTypes): ReadonlyMap<OtherType, OtherPart> {
  return new Map([...others.values()].map((rule) => [rule.type, createOtherPart(rule)]))
}

function createOtherPart({ digits }: OtherRule): OtherPart {
  const part = createScanIndex({ type: 'clip' })
  const pad = (batch: OtherBatch): SignalBatch => ({
    ...batch,
    type: 'clip',
    values: padded(batch.values, digits / 2),
  })
  return {
    ...part,
    load: (batches, expected) => part.load(eachOf(batches, pad), expected),
    add: (batch) => part.add(pad(batch)),
  }
}

/** undefined: there is nothing to compare. A value of another version is not. */
export function queryOf(
  rule: OtherRule,
  others: readonly OtherSignal[] | undefined,
): Uint8Array | undefined {
  const own = others?.find(({ type, version }) => type === rule.type && version === rule.version)
  if (own?.value === undefined) return undefined
  return padded(Buffer.from(own.value, 'hex'), rule.digits / 2)
}

function padded(values: Uint8Array, width: number): Uint8Array {
  const rows = values.length / width
  const wide = new Uint8Array(rows * rowWidth)
  for (let row = 0; row < rows; row++)
    wide.set(values.subarray(row * width, (row + 1) * width), row * rowWidth)
  return wide
}

async function* eachOf<From, To>(some: AsyncIterable<From>, make: (one: From) => To) {
  for await (const one of some) yield make(one)
}
