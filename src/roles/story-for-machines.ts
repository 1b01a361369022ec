// How the story of a blob is told to machines: one gate after the other. No signal's value is in it.
import { reasonInWords, waitInWords } from '../cases/explain-words.ts'
import { forMachines } from '../cases/for-machines.ts'
import { blobCidOf } from '../domain/cid.ts'
import type { BlobStory, NowStory } from './explain-blob.ts'

type Told = {
  story: BlobStory
  now: NowStory
  /** Pictures of the differing bits by signal id, where they were asked for and may be shown. */
  bits: ReadonlyMap<number, string[]>
}

export function storyForMachines({ story, now, bits }: Told): object {
  const { scan } = story
  return {
    cid: blobCidOf(story.cid),
    seen: story.seen,
    fetch: { tries: story.tries, ...(story.openScan && { openScan: story.openScan }) },
    ...(scan && {
      scan: {
        verdict: scan.verdict,
        reason: scan.reason,
        kind: scan.kind,
        bytes: scan.bytes,
        hashedAt: scan.hashedAt,
        generation: scan.generation,
        quality: scan.signals.quality,
        views: scan.signals.variants.map(({ variant, quality }) => ({ variant, quality })),
      },
    }),
    matches: story.matches,
    decisions: story.decisions.map((row) => ({
      ...forMachines(row),
      inWords: reasonInWords(row.reason),
    })),
    ...(story.caseFile && { case: { ...story.caseFile.head, history: story.caseFile.history } }),
    actions: story.actions.map((row) => ({
      ...forMachines(row),
      ...(row.waiting !== null && { inWords: waitInWords(row.waiting) }),
    })),
    now: {
      generation: now.generation,
      counted: now.counted,
      setAside: now.setAside,
      decisions: now.decisions.map(({ place, decision }) => ({
        collection: place.collection,
        rkey: place.rkey,
        outcome: decision.outcome,
        reason: decision.reason,
        wants: decision.wants,
        contents: decision.contents,
      })),
      differences: now.differences,
    },
    ...(bits.size > 0 && { bits: Object.fromEntries(bits) }),
  }
}
