// One stream of batches of all types into one stream a type, no faster than the slowest takes them.
import { signalTypes } from '../domain/blob.ts'
import type { OtherType, SignalType } from '../domain/blob.ts'
import type { AnyBatch, OtherBatch, SignalBatch } from '../domain/signal-batch.ts'

type Take<Batch> = (batches: AsyncIterable<Batch>) => Promise<void>
type Takers = {
  ours: (type: SignalType, batches: AsyncIterable<SignalBatch>) => Promise<void>
  others: (readonly [OtherType, Take<OtherBatch>])[]
}

/**
 * Hands each batch to the taker of its type. Resolves when all takers have; throws the first failure, after every taker
 * has ended: a source that fails, fails each of them. A batch that nobody takes is passed over.
 */
export async function splitByType(
  batches: AsyncIterable<AnyBatch>,
  { ours, others }: Takers,
): Promise<void> {
  const lanes = [
    ...signalTypes.map((type) => laneFor<SignalBatch>(type, (some) => ours(type, some))),
    ...others.map(([type, take]) => laneFor<OtherBatch>(type, take)),
  ]
  const pump = async () => {
    try {
      for await (const batch of batches) {
        await lanes.find(({ type }) => type === batch.type)?.writer.write(batch)
      }
      await Promise.all(lanes.map(({ writer }) => writer.close()))
    } catch (error) {
      await Promise.allSettled(lanes.map(({ writer }) => writer.abort(error)))
      throw error
    }
  }
  const ends = await Promise.allSettled([
    ...lanes.map(async ({ take, readable }) => {
      try {
        await take()
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

/** The batches in a lane are those of its type. */
function laneFor<Batch extends AnyBatch>(type: Batch['type'], take: Take<Batch>) {
  const { writable, readable } = new TransformStream<AnyBatch, Batch>()
  return { type, writer: writable.getWriter(), take: () => take(readable), readable }
}
