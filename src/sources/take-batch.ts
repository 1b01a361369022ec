// Hands one batch in until it is durable. Never gives up on it for the database's sake, and never takes it twice.
import type { SourceBatch } from '../domain/batch.ts'
import type { Did } from '../domain/blob.ts'
import { RetryableError } from '../domain/errors.ts'
import { backoffMs, sleep } from './backoff.ts'
import { nameOf } from './firehose-options.ts'
import type { FirehoseOptions } from './firehose-options.ts'

/** `taken`, or `fenced`; `stopped` when the signal came while the database was away: the batch is read again later. */
export async function takeBatch(
  input: Pick<FirehoseOptions, 'takeIn' | 'loadCursor' | 'onSync' | 'log' | 'metrics' | 'host'> & {
    batch: SourceBatch
    syncs: { did: Did; rev: string }[]
    random: () => number
    signal: AbortSignal
  },
): Promise<'taken' | 'fenced' | 'stopped'> {
  const { batch, syncs, random, signal, log, metrics, host } = input
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (attempt > 0) {
        const earlier = await outcomeOfEarlier(batch, input.loadCursor)
        if (earlier !== 'unknown') return earlier
      }
      for (const sync of syncs) await input.onSync?.(sync)
      return (await input.takeIn(batch)) === 'fenced' ? 'fenced' : 'taken'
    } catch (error) {
      if (!(error instanceof RetryableError)) throw error
      metrics?.retrying?.(error.message)
      log.warn('batch not taken, trying again', { host: nameOf(host), attempt, error })
    }
    if (!(await sleep(backoffMs(attempt, random), signal))) return 'stopped'
  }
}

/**
 * A failed call may have been durable all the same (the connection broke after the commit). The stored cursor knows;
 * without asking, the second try would look like another leader's move.
 */
async function outcomeOfEarlier(
  { cursor }: SourceBatch,
  loadCursor: FirehoseOptions['loadCursor'],
): Promise<'taken' | 'fenced' | 'unknown'> {
  if (cursor === undefined) return 'unknown'
  const stored = await loadCursor()
  if (stored.epoch !== cursor.epoch) return 'fenced'
  if (stored.position === cursor.from) return 'unknown'
  return stored.position === cursor.to ? 'taken' : 'fenced'
}
