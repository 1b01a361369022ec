// The log's side of C2SP tlog-witness: has a checkpoint cosigned, and takes no cosignature that does not verify.
import { RetryableError, errorMessage } from '../../domain/errors.ts'
import { parseDecimal, textOf, utf8 } from '../bytes.ts'
import { openCheckpoint } from '../note/checkpoint.ts'
import { verifyKeySignature } from '../note/key.ts'
import type { VerifierKey } from '../note/key.ts'
import { noteLimits, parseNote, parseSignature } from '../note/note.ts'
import type { NoteSignature } from '../note/note.ts'
import {
  addCheckpointLimits,
  formatAddCheckpoint,
  sizeContentType,
} from '../witness/add-checkpoint.ts'
import { originHashOf } from '../witness/witness.ts'
import { anchorEveryMs } from './anchor.ts'
import type { Anchor, AnchorOutcome, SubmittedHead } from './anchor.ts'
import { boundedRequest } from './bounded-request.ts'
import type { BoundedAnswer } from './bounded-request.ts'

export const witnessClientLimits = {
  timeoutMs: 10_000,
  /** A size that the witness names is answered with its proof; more often only where others submit too. */
  submissions: 3,
} as const

type Submission =
  | { kind: 'done'; outcome: AnchorOutcome }
  /** The witness's newest is this one. */
  | { kind: 'again'; old: number }

/** `name`: as the policy has it. `url`: the submission prefix. */
export function createWitnessAnchor(options: {
  name: string
  key: VerifierKey
  url: string
  timeoutMs?: number
}): Anchor {
  const { key } = options
  const who = options.name
  const prefix = options.url.replace(/\/+$/, '')
  const limits = { timeoutMs: options.timeoutMs ?? witnessClientLimits.timeoutMs }
  /** By origin, the size that this witness had last, so that one request is enough. */
  const known = new Map<string, number>()

  const submitOnce = async (
    head: SubmittedHead,
    old: number,
    signal: AbortSignal,
  ): Promise<Submission> => {
    const proof = await head.prove(old)
    const answer = await boundedRequest({
      url: `${prefix}/add-checkpoint`,
      method: 'POST',
      headers: { 'content-type': 'text/plain; charset=utf-8' },
      body: formatAddCheckpoint({ old, proof, note: head.note }),
      bytesMax: addCheckpointLimits.answerBytes,
      ...limits,
      signal,
    })
    if (answer.status === 409) return onConflict(who, { answer, old, size: head.size })
    return { kind: 'done', outcome: outcomeOf({ who, key, answer, head, old }) }
  }

  return {
    kind: 'witness',
    who,
    everyMs: anchorEveryMs.witness,
    async newest(origin, signal) {
      const answer = await boundedRequest({
        url: `${prefix}/checkpoint/${originHashOf(origin)}`,
        method: 'GET',
        bytesMax: noteLimits.bytes,
        ...limits,
        signal,
      })
      if (answer.status >= 500 || answer.status === 429)
        throw new RetryableError(`the witness answered ${answer.status}`)
      const opened = answer.status === 200 ? openCheckpoint(answer.bytes, [key]) : 'not told'
      if (typeof opened === 'string' || opened.verdict.kind !== 'verified') return undefined
      const { checkpoint } = opened
      return checkpoint.origin === origin
        ? { size: checkpoint.size, root: checkpoint.root }
        : undefined
    },
    async submit(head, signal) {
      let old = Math.min(known.get(head.origin) ?? 0, head.size)
      try {
        for (let tries = 0; tries < witnessClientLimits.submissions; tries += 1) {
          const submission = await submitOnce(head, old, signal)
          if (submission.kind === 'done') {
            if (submission.outcome.kind === 'anchored') known.set(head.origin, head.size)
            return submission.outcome
          }
          old = submission.old
        }
        return failed(who, 'the witness named another size each time')
      } catch (error) {
        if (!(error instanceof RetryableError)) throw error
        return failed(who, errorMessage(error))
      }
    },
  }
}

function failed(who: string, reason: string): AnchorOutcome {
  return { kind: 'failed', who, reason }
}

function onConflict(
  who: string,
  { answer, old, size }: { answer: BoundedAnswer; old: number; size: number },
): Submission {
  const done = (outcome: AnchorOutcome): Submission => ({ kind: 'done', outcome })
  const named = /^(\d+)\n$/.exec(textOf(answer.bytes) ?? '')?.[1]
  const theirSize = parseDecimal(named ?? '')
  const isSize = answer.contentType.split(';', 1)[0]?.trim() === sizeContentType
  // Without a size it is no answer of a witness; only one whose size is known can be in conflict.
  if (theirSize === undefined || !isSize) return done(failed(who, '409 without a size'))
  const conflict = (reason: string) => done({ kind: 'conflict', who, theirSize, reason })
  if (theirSize > size) return conflict('the witness has cosigned a larger tree than ours')
  // It knows this size, and still says no: the roots differ.
  if (theirSize === old)
    return theirSize === size
      ? conflict('the witness has cosigned another root at this size')
      : done(failed(who, 'the witness refuses the very size that it names'))
  return { kind: 'again', old: theirSize }
}

function outcomeOf(input: {
  who: string
  key: VerifierKey
  answer: BoundedAnswer
  head: SubmittedHead
  old: number
}): AnchorOutcome {
  const { who, key, answer, head, old } = input
  switch (answer.status) {
    case 200: {
      const signature = cosignatureOf(answer, key, head)
      return typeof signature === 'string'
        ? failed(who, signature)
        : { kind: 'anchored', who, body: new Uint8Array(0), signature }
    }
    case 422:
      // Anything continues nothing: that is no answer to a first checkpoint.
      if (old === 0) return failed(who, 'the witness refuses an empty proof (422)')
      // Its size is ours of that time, or it had named it in a 409: so its root there is another than ours.
      return {
        kind: 'conflict',
        who,
        theirSize: old,
        reason: 'our tree does not continue the one that the witness has cosigned',
      }
    case 403:
      return failed(who, 'the witness does not know our key (403)')
    case 404:
      return failed(who, 'the witness does not know our log (404)')
    default:
      return failed(who, `the witness answered ${answer.status}`)
  }
}

/** Lines of other keys, also of keys of this witness that are not pinned, are ignored. */
function cosignatureOf(
  answer: BoundedAnswer,
  key: VerifierKey,
  head: SubmittedHead,
): NoteSignature | string {
  const text = textOf(answer.bytes)
  const noteText = parseNote(head.note)?.text
  if (text === undefined || !text.endsWith('\n') || noteText === undefined)
    return 'the answer is not lines of signatures'
  const lines = text.slice(0, -1).split('\n').map(parseSignature)
  if (lines.some((line) => line === undefined)) return 'the answer is not lines of signatures'
  const own = lines.find((line) => line?.name === key.name && line.keyId === key.keyId)
  if (own === undefined) return 'the answer has no cosignature of the pinned key'
  const { holds } = verifyKeySignature(key, { text: utf8(noteText), signature: own.signature })
  return holds ? own : 'the cosignature does not verify with the pinned key'
}
