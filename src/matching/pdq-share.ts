// One PDQ index for several threads: the memory is the same, so an add or a removal by the thread that owns the index is
// seen by the next search of every thread, without a message. Only a rebuilt memory has to be handed over: it waits in the
// port before the generation goes up, and a thread compares the generation before each search.
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'
import type { RowHit } from './index-part.ts'
import { scratchesMax } from './layout.ts'
import { loadKernel } from './kernel.ts'
import type { KernelModule, SharedMemory } from './kernel-webassembly.ts'
import { openBase } from './pdq-base.ts'
import { createSearcher } from './pdq-searcher.ts'

/** For `postMessage` or `workerData`, with `port` in the transfer list. For one thread: ask for one each. */
export type PdqShare = {
  module: KernelModule
  memory: SharedMemory
  /** How often the memory was replaced, in word 0. */
  generation: Int32Array
  atGeneration: number
  /** Names its scratch. */
  thread: number
  port: MessagePort
}

type Handover = { memory: SharedMemory; generation: number }

export type PdqSharing = {
  /** Throws RangeError when as many threads as there are scratches have one. */
  share(memory: SharedMemory): PdqShare
  /** In the same turn as the owner goes over to it, so that no add is seen by one thread only. */
  replace(memory: SharedMemory): void
  /** Whether every thread has said that it reads the memory of the last `replace` and no other. */
  isSettled(): boolean
  close(): void
}

export function createSharing(): PdqSharing {
  const generation = new Int32Array(new SharedArrayBuffer(4))
  /** With the number of the thread behind it, and the generation that it has. */
  const ports = new Map<MessagePort, { thread: number; seen: number }>()
  const freeThread = () => {
    const taken = new Set([...ports.values()].map(({ thread }) => thread))
    for (let thread = 1; thread < scratchesMax; thread++) if (!taken.has(thread)) return thread
    throw new RangeError('a PDQ index is shared with too many threads')
  }
  return {
    share(memory) {
      const thread = freeThread()
      const { port1, port2 } = new MessageChannel()
      const atGeneration = Atomics.load(generation, 0)
      ports.set(port1, { thread, seen: atGeneration })
      port1.on('message', (seen: number) => ports.set(port1, { thread, seen }))
      port1.once('close', () => ports.delete(port1))
      port1.unref()
      return { module: loadKernel(), memory, generation, atGeneration, thread, port: port2 }
    },
    replace(memory) {
      const next = Atomics.load(generation, 0) + 1
      for (const port of ports.keys()) {
        port.postMessage({ memory, generation: next } satisfies Handover)
      }
      Atomics.store(generation, 0, next)
    },
    isSettled: () => [...ports.values()].every(({ seen }) => seen === Atomics.load(generation, 0)),
    close() {
      for (const port of ports.keys()) port.close()
    },
  }
}

export type AttachedPdqIndex = {
  /** As IndexPart.search, in this thread. */
  search(queries: Uint8Array, radius: number): RowHit[]
  /** Lets the memory go. */
  close(): void
}

export function attachPdqIndex({
  module,
  generation,
  thread,
  port,
  ...at
}: PdqShare): AttachedPdqIndex {
  let seen = at.atGeneration
  const open = (memory: SharedMemory) => createSearcher(openBase(memory, module), thread)
  let searcher = open(at.memory)
  const take = (handover: Handover) => {
    seen = handover.generation
    searcher = open(handover.memory)
    port.postMessage(seen)
  }
  // A thread without searches must not hold the old memory for ever.
  port.on('message', take)
  port.unref()
  return {
    search(queries, radius) {
      while (seen !== Atomics.load(generation, 0)) {
        const received = receiveMessageOnPort(port)
        if (received === undefined) break
        take(received.message as Handover)
      }
      return searcher.search(queries, radius)
    },
    close() {
      port.close()
    },
  }
}
