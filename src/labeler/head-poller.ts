// One poller for any number of waiting readers. It runs only while somebody waits and holds no labels,
// so a thousand subscribers cost one small query every interval.
export type HeadPoller = {
  /** Calls back when the head has moved since the last look. Returns the function that ends it. */
  onChange(callback: () => void): () => void
}

export function createHeadPoller(options: {
  head: () => Promise<number>
  everyMs: number
  /** A look that failed; the next one follows after the same interval. */
  onError: (error: unknown) => void
}): HeadPoller {
  const callbacks = new Set<() => void>()
  let timer: NodeJS.Timeout | undefined
  let seen = -1

  async function look(): Promise<void> {
    try {
      const head = await options.head()
      if (head !== seen) {
        seen = head
        for (const callback of callbacks) callback()
      }
    } catch (error) {
      options.onError(error)
    }
    timer = callbacks.size > 0 ? setTimeout(() => void look(), options.everyMs).unref() : undefined
  }

  return {
    onChange(callback) {
      // A wrapper of its own, so that the same function given twice is two readers.
      const entry = (): void => callback()
      callbacks.add(entry)
      timer ??= setTimeout(() => void look(), options.everyMs).unref()
      return () => {
        callbacks.delete(entry)
      }
    },
  }
}
