// A log of generated entries, for tests: its roots and proofs at any size. Another seed is another log.
import { join, utf8 } from '../bytes.ts'
import { createFrontier, tileWidth } from '../tree/frontier.ts'
import { leafHashOf } from '../tree/hash.ts'
import { createProver } from '../tree/prove.ts'
import type { Prover } from '../tree/prove.ts'

export type TestLog = { origin: string; prover: Prover; at: TestHead; request: TestRequest }
type TestHead = (size: number) => Promise<{ origin: string; size: number; root: Uint8Array }>
/** What a signer or a witness is asked to grow from `old` to `size`. */
type TestRequest = (
  old: number,
  size: number,
) => Promise<{ origin: string; old: number; size: number; root: Uint8Array; proof: Uint8Array[] }>

/** `forkAt`: entries from there on are others. */
export function makeTestLog(
  origin: string,
  { size, forkAt = size }: { size: number; forkAt?: number },
): TestLog {
  const levels: Uint8Array[][] = [[], [], []]
  const frontier = createFrontier()
  for (let i = 0; i < size; i += 1) {
    const hash = leafHashOf(utf8(`entry ${i}${i < forkAt ? '' : ' of another story'}`))
    levels[0]?.push(hash)
    frontier.push(hash, ({ level, root }) => void levels[level + 1]?.push(root))
  }
  const prover = createProver(
    {
      readTile: (level, index, width) => {
        const first = index * tileWidth
        return Promise.resolve(join(...(levels[level]?.slice(first, first + width) ?? [])))
      },
    },
    size,
  )
  const at: TestHead = async (size) => ({ origin, size, root: await prover.rootAt(size) })
  return {
    origin,
    prover,
    at,
    request: async (old, size) => ({
      ...(await at(size)),
      old,
      proof: old <= size ? await prover.consistency(old, size) : [],
    }),
  }
}
