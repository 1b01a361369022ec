// One stream of batches of all types into one stream a type, no faster than the slowest takes them.
import { signalTypes } from '../domain/blob.ts'
import type { SignalType } from '../domain/blob.ts'
import type { SignalBatch } from '../domain/signal-batch.ts'

/**
 * Hands each batch to the taker of its type. Resolves when all takers have; throws the first failure, after every taker
 * has ended: a source that fails, fails each of them.
 */
export async function splitByType(
  batches: AsyncIterable<SignalBatch>,
  take: (type: SignalType, batches: AsyncIterable<SignalBatch>) => Promise<void>,
): Promise<void> {
  const lanes = signalTypes.map((type) => {
    const { writable, readable } = new TransformStream<SignalBatch, SignalBatch>()
    return { type, writer: writable.getWriter(), readable }
  })
  const pump = async () => {
    try {
      for await (const batch of batches) {
        const lane = lanes.find(({ type }) => type === batch.type)!
        await lane.writer.write(batch)
      }
      await Promise.all(lanes.map(({ writer }) => writer.close()))
    } catch (error) {
      await Promise.allSettled(lanes.map(({ writer }) => writer.abort(error)))
      throw error
    }
  }
  const ends = await Promise.allSettled([
    ...lanes.map(async ({ type, readable }) => {
      try {
        await take(type, readable)
      } catch (error) {
        // Otherwise the pump would wait for ever for somebody to take this lane's next batch.
        await readable.cancel(error).catch(() => undefined)
        throw error
      }
    }),
    pump(),
  ])
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
}
