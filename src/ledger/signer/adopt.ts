// The operator's word for a head, after the folder that kept it was lost or damaged: a checkpoint that was signed for it.
import { FatalError, UsageError } from '../../domain/errors.ts'
import { openCheckpoint, signedByLog } from '../note/checkpoint.ts'
import type { VerifierKey } from '../note/key.ts'
import { parseCheckpoint } from '../note/checkpoint.ts'
import { parseNote } from '../note/note.ts'
import type { KeptHead } from './head-file.ts'
import type { HeadKeeper } from './head-keeper.ts'

/** `keyOf`: the log's own key for an origin. Throws UsageError for what is no checkpoint of such a log, or is older than what is kept. */
export async function adoptCheckpoint(options: {
  note: string
  keeper: HeadKeeper
  keyOf: (origin: string) => VerifierKey | undefined
}): Promise<KeptHead> {
  const { note, keeper } = options
  const { origin } = parseCheckpoint(parseNote(note)?.text ?? '') ?? {}
  if (origin === undefined) throw new UsageError('the file holds no signed checkpoint')
  const key = options.keyOf(origin)
  if (key === undefined)
    throw new UsageError(`the checkpoint is of ${origin}, which is not known here`)
  const opened = openCheckpoint(note, [key])
  if (typeof opened === 'string' || !signedByLog(opened))
    throw new UsageError(`the checkpoint is not signed with the key of ${origin}`)
  const { size, root } = opened.checkpoint
  try {
    await keeper.adopt({ origin, size, root, note })
  } catch (error) {
    if (error instanceof FatalError) throw new UsageError(error.message, { cause: error })
    throw error
  }
  return { origin, size, root, note }
}
