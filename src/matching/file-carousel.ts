// One reading of a file that everybody shares: blocks pass by in a circle, and a search gets on at the next one and off
// when it has seen each once. So a search never waits for another one's reading to end.

/** `queries` are so many that they fit beside others; `left`: blocks still to be seen. */
type Rider<Ticket> = {
  ticket: Ticket
  queries: number
  left: number
  resolve: () => void
  reject: (error: unknown) => void
}

export type Carousel<Ticket> = {
  /** Resolves when every block was shown to the ticket. Throws when reading failed. `queries`: at most `queriesMax`. */
  ride(ticket: Ticket, queries: number): Promise<void>
  /** Resolves when nobody rides. */
  idle(): Promise<void>
}

export function createCarousel<Ticket>(options: {
  blocks: number
  /** Of all who ride at the same time. */
  queriesMax: number
  /** Into one of two buffers, while the other is looked at. */
  read: (block: number, side: 0 | 1) => Promise<void>
  /** Calls do not overlap. */
  show: (block: number, side: 0 | 1, tickets: readonly Ticket[]) => Promise<void>
}): Carousel<Ticket> {
  const { blocks, queriesMax, read, show } = options
  const waiting: Rider<Ticket>[] = []
  let riders: Rider<Ticket>[] = []
  let running: Promise<void> | undefined
  let block = 0

  const letOn = () => {
    let queries = riders.reduce((sum, rider) => sum + rider.queries, 0)
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      queries += next.queries
      if (queries > queriesMax) return
      riders.push(next)
      waiting.shift()
    }
  }
  const turn = async () => {
    let side: 0 | 1 = 0
    let ahead: Promise<void> | undefined
    try {
      for (letOn(); riders.length > 0; letOn()) {
        await (ahead ?? read(block, side))
        const next = (block + 1) % blocks
        const goesOn = waiting.length > 0 || riders.some(({ left }) => left > 1)
        ahead = goesOn ? read(next, side === 0 ? 1 : 0) : undefined
        // Whoever waits for it hears of a failure; it must not count as unhandled until then.
        ahead?.catch(() => undefined)
        const tickets = riders.map(({ ticket }) => ticket)
        await show(block, side, tickets)
        for (const rider of riders) rider.left -= 1
        for (const rider of riders) if (rider.left === 0) rider.resolve()
        riders = riders.filter(({ left }) => left > 0)
        block = next
        side = side === 0 ? 1 : 0
      }
    } catch (error) {
      await ahead?.catch(() => undefined)
      for (const rider of [...riders, ...waiting]) rider.reject(error)
      riders = []
      waiting.length = 0
    }
    running = undefined
  }

  return {
    ride(ticket, queries) {
      if (blocks === 0) return Promise.resolve()
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      waiting.push({ ticket, queries, left: blocks, resolve, reject })
      // Not at once, so that all who come in this turn of the event loop share the reading.
      running ??= Promise.resolve().then(turn)
      return promise
    },
    async idle() {
      await running
    },
  }
}
