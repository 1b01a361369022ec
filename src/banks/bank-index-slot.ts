// The index that lookups are made in, and may be replaced while they are: nobody waits, and none is closed under a lookup.
import { RetryableError } from '../domain/errors.ts'
import type { Matcher } from '../domain/ports.ts'
import type { BankIndex } from '../domain/signal-batch.ts'

type InUse = { index: BankIndex; lookups: number; idle?: () => void }

export type IndexSlot = AsyncDisposable & {
  /** Throws RetryableError while there is no index. */
  matcher: Matcher
  index(): BankIndex | undefined
  /** The next lookup is made in `index`; the one before is closed when its last lookup has ended. */
  replace(index: BankIndex): Promise<void>
}

export function createIndexSlot(): IndexSlot {
  let current: InUse | undefined
  const lookUp = async <Answer>(lookup: (index: BankIndex) => Promise<Answer>): Promise<Answer> => {
    const used = current
    if (used === undefined) throw new RetryableError('the bank index is not loaded')
    used.lookups += 1
    try {
      return await lookup(used.index)
    } finally {
      used.lookups -= 1
      if (used.lookups === 0) used.idle?.()
    }
  }
  return {
    matcher: {
      generation: () => current?.index.generation() ?? 0,
      match: (signals, options) => lookUp((index) => index.match(signals, options)),
      matchMany: (many, options) => lookUp((index) => index.matchMany(many, options)),
    },
    index: () => current?.index,
    async replace(index) {
      const before = current
      current = { index, lookups: 0 }
      await close(before)
    },
    async [Symbol.asyncDispose]() {
      const last = current
      current = undefined
      await close(last)
    },
  }
}

async function close(used: InUse | undefined): Promise<void> {
  if (used === undefined) return
  if (used.lookups > 0) await new Promise<void>((resolve) => (used.idle = resolve))
  await used.index[Symbol.asyncDispose]()
}
