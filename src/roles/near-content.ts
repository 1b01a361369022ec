// Which stored blobs come near the signals of one content: a linear comparison with those few, exact, without the index.
import { pdqQualityMin } from '../domain/blob.ts'
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { isOfOther } from '../domain/other-type.ts'
import { isExact } from '../domain/signal-kind.ts'
import { packPdq, packedDistance } from '../signals/pdq/distance.ts'
import type { ContentSignal, RematchRow } from '../steps/jobs.ts'

/** Whether a blob matches one of the content's signals in any variant; where it has a plug-in's value, the index says. */
export type NearContent = (row: RematchRow) => boolean

/**
 * `pdqDistanceMax` in bits. A turn only moves and flips bits, the same ones in every hash: a turned blob is as far from a
 * hash as the blob is from the hash turned back. So the few are turned, and not every blob.
 */
export function createNearContent(
  signals: readonly ContentSignal[],
  { pdqDistanceMax }: { pdqDistanceMax: number },
): NearContent {
  const digests = new Set(signals.filter(({ type }) => isExact(type)).map(({ value }) => value))
  const turned = signals
    .filter(({ type }) => type === 'pdq')
    .flatMap(({ value }) => [value, ...turnsOfHash(value).map(({ hash }) => hash)])
    .map(packPdq)
  const ofOthers = new Set<string>(signals.map(({ type }) => type).filter(isOfOther))
  return ({ cid, md5, sha1, pdq, quality, variants, others }) => {
    if (others.some(({ type, value }) => value !== null && ofOthers.has(type))) return true
    if ([cid, md5, sha1].some((digest) => digest !== null && digests.has(digest))) return true
    if (turned.length === 0) return false
    const plain = pdq === null ? [] : [{ hash: pdq, quality: quality ?? 0 }]
    return [...plain, ...variants]
      .filter((view) => view.quality >= pdqQualityMin)
      .map(({ hash }) => packPdq(hash))
      .some((words) => turned.some((one) => packedDistance(words, one) <= pdqDistanceMax))
  }
}
