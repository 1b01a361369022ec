// The newest head of each log that a signer or a witness has put its name to.
//
// Promises: a head only grows, along a consistency proof, and is on disk before its signature leaves. Comparing,
// checking, signing and keeping are one critical section among all processes on the folder.
// Assumes: a folder on a local disk that nobody sets back. A folder restored from a copy is an older head: do not.
// A crash leaves the old head or the new one. Asking again from the new one gives the signature that did not arrive.
// What is lost or damaged is never taken for nothing: only `adopt`, an operator's word, begins anew.
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { FatalError, RetryableError } from '../../domain/errors.ts'
import { crashPoint } from '../../telemetry/crash-point.ts'
import { sameBytes } from '../bytes.ts'
import { emptyRoot } from '../tree/hash.ts'
import { verifyConsistency } from '../tree/verify-proof.ts'
import { createDurably, isCode, replaceDurably, syncFolder } from './durable-file.ts'
import { lockFile } from './file-lock.ts'
import { formatHeadFile, headFileName, parseHeadFile } from './head-file.ts'
import type { KeptHead } from './head-file.ts'

export type Head = { size: number; root: Uint8Array }

export type Growth = {
  origin: string
  /** The size that the caller takes for our newest. */
  old: number
  size: number
  root: Uint8Array
  /** From `old` to `size`. */
  proof: readonly Uint8Array[]
  /** Makes the note; called only when all is right, and handed out only when it is kept. */
  sign: () => string
}

export type GrowthAnswer =
  | { kind: 'kept'; note: string }
  /** `stale`: `old` is not our size. `forked`: our size with another root. `unproven`: the proof is not one. */
  | { kind: 'refused'; why: 'stale' | 'forked' | 'unproven'; head: Head | undefined }

export type HeadKeeper = {
  /** undefined: nothing was ever signed for this log. Throws FatalError when that is not known any more. */
  head(origin: string): Promise<KeptHead | undefined>
  /** May be called concurrently. Throws FatalError as above, RetryableError when the head could not be kept; then nothing was signed. */
  grow(growth: Growth): Promise<GrowthAnswer>
  /** Takes the operator's word for a head; only where it is not below, or beside, one that is known. Throws FatalError otherwise. */
  adopt(head: KeptHead): Promise<void>
}

type Disk = { replace(path: string, text: string): Promise<void> }

/** The folder is made when it is not there. `disk`: for tests of disks that fail. */
export async function createHeadKeeper(options: {
  folder: string
  disk?: Disk
}): Promise<HeadKeeper> {
  const { folder } = options
  const disk = options.disk ?? { replace: replaceDurably }
  await makeFolder(folder)
  let turn: Promise<unknown> = Promise.resolve()

  /** One at a time in this process by turns, among processes by the lock. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(async () => {
      using lock = await lockFile(join(folder, 'lock'))
      if (lock === undefined) throw new RetryableError(`another process keeps ${folder} locked`)
      return await work()
    })
    turn = mine.catch(() => undefined)
    return mine
  }

  const head = (origin: string) => readHead(join(folder, headFileName(origin)), origin)

  const keep = async (next: KeptHead): Promise<void> => {
    const path = join(folder, headFileName(next.origin))
    try {
      await disk.replace(path, formatHeadFile(next))
      // Second: a crash in between leaves a head without its mark, which is no loss.
      if (!(await isThere(markOf(path)))) await createDurably(markOf(path), '')
    } catch (error) {
      throw new RetryableError(`the head could not be kept in ${folder}, so nothing was signed`, {
        cause: error,
      })
    }
  }

  return {
    head,
    grow: (growth) =>
      alone(async () => {
        const { origin, size, root, sign } = growth
        const own = await head(origin)
        const why = refusalOf(growth, own ?? { size: 0, root: emptyRoot })
        if (why !== undefined)
          return { kind: 'refused', why, head: own && { size: own.size, root: own.root } }
        const note = sign()
        crashPoint('keep-head:before')
        // Kept again when it is the same head: the last time may have failed after it could be seen.
        await keep({ origin, size, root, note })
        crashPoint('keep-head:after')
        return { kind: 'kept', note }
      }),
    adopt: (next) =>
      alone(async () => {
        const own = await head(next.origin).catch((error: unknown) => {
          if (error instanceof FatalError) return undefined
          throw error
        })
        const isBelow = own !== undefined && own.size > next.size
        const isBeside = own?.size === next.size && !sameBytes(own.root, next.root)
        if (isBelow || isBeside)
          throw new FatalError(
            `the head that is kept here has ${own.size} entries and is sound: one of ${next.size} ${isBelow ? 'would go back' : 'with another root is a fork'}`,
          )
        await keep(next)
      }),
  }
}

function refusalOf(
  { old, size, root, proof }: Growth,
  own: Head,
): 'stale' | 'forked' | 'unproven' | undefined {
  if (old !== own.size) return 'stale'
  if (size === own.size && !sameBytes(root, own.root)) return 'forked'
  const holds = verifyConsistency({ size1: old, size2: size, root1: own.root, root2: root, proof })
  return holds ? undefined : 'unproven'
}

async function readHead(path: string, origin: string): Promise<KeptHead | undefined> {
  // The mark is looked at first: it comes after its head, so with it there has to be one.
  const isMarked = await isThere(markOf(path))
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (!isCode(error, 'ENOENT'))
      throw new RetryableError(`${path} cannot be read`, { cause: error })
    if (!isMarked) return undefined
    throw new FatalError(
      `${path} is gone: what was signed last for ${origin} is not known, so nothing is signed. ${wayOut}`,
    )
  }
  const head = parseHeadFile(text, origin)
  if (typeof head !== 'string') return head
  throw new FatalError(
    `${path} is damaged (${head}): what was signed last for ${origin} is not known, so nothing is signed. ${wayOut}`,
  )
}

const wayOut =
  'Take the newest checkpoint that a witness or a record of yours holds and start once with --adopt.'

function markOf(path: string): string {
  return `${path}.began`
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (isCode(error, 'ENOENT')) return false
    throw new RetryableError(`${path} cannot be looked at`, { cause: error })
  }
}

async function makeFolder(folder: string): Promise<void> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: 0o700 })
    // A new folder is as gone as its files when only they are on disk.
    if (made !== undefined) for (const path of [folder, made]) await syncFolder(dirname(path))
  } catch (error) {
    throw new RetryableError(`${folder} cannot be made`, { cause: error })
  }
}
