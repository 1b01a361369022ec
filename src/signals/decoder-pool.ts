// Children of one class of decoders: a few images at a time, each in a child of its own.
//
// Promises: an outcome for every image, whatever is in it; an image that kills or hangs its child costs that child and
// nothing else. No image waits in here with a copy of its bytes: callers wait, first come first served, so whoever
// bounds the callers bounds the memory. Time in the queue does not count against an image. No child before the first image.
// Assumes: bytes that were already limited in size by whoever fetched them.
// A crash of this process ends the children with it; nothing is on disk.
import { RetryableError } from '../domain/errors.ts'
import type { DecodeOutcome } from './decode-answer.ts'
import type { DecoderClass } from './decode-image.ts'
import { DecoderProcess } from './decoder-process.ts'
import type { Sandbox } from './sandbox.ts'

export type PoolLimits = {
  /** Images decoded at the same time, each in a child of its own. */
  slots: number
  /** What one child may allocate besides what V8 reserves. */
  memoryBytes: number
  wallMs: number
  /** The least an image may use; the kernel ends it at about twice that. */
  processorSeconds: number
  /** After so many images, or when it holds more than this between images, a child is replaced. */
  imagesPerChildMax: number
  residentBytesMax: number
  imageBytesMax: number
}

export type PoolOptions = PoolLimits & {
  decoderClass: DecoderClass
  sandbox: Sandbox
  warn: (message: string) => void
  /** Told when an image ended its child: `decoder-timeout`, `decoder-memory`, `decoder-crash`. */
  onLost?: ((reason: string) => void) | undefined
}

type Slot = { child?: DecoderProcess | undefined }
type Waiting = { give: (slot: Slot) => void; refuse: (error: unknown) => void }

export class DecoderPool {
  readonly #options: PoolOptions
  readonly #sandbox: Sandbox
  readonly #slots: Slot[]
  readonly #free: Slot[]
  readonly #waiting = new Set<Waiting>()
  readonly #running = new Set<Promise<unknown>>()
  #saidThatItIsSlow = false
  #closed = false

  constructor(options: PoolOptions) {
    const { memoryBytes, processorSeconds } = options
    this.#options = options
    this.#sandbox = options.sandbox.limitedTo({
      memoryBytes,
      processorSeconds: processorSeconds * 2,
    })
    this.#slots = Array.from({ length: options.slots }, () => ({}))
    this.#free = [...this.#slots]
  }

  /** Callers that wait for a slot. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The pids of the living children. */
  get pids(): number[] {
    return this.#slots.flatMap(({ child }) => (child?.alive === true ? [child.pid] : []))
  }

  /**
   * Rejects with the signal's reason when aborted (a running image goes on in its slot and is then forgotten), and with
   * RetryableError when no child can be started or the pool is closing.
   */
  async decode(bytes: Uint8Array, signal: AbortSignal): Promise<DecodeOutcome> {
    signal.throwIfAborted()
    if (bytes.length > this.#options.imageBytesMax)
      return { kind: 'failed', reason: 'decoder-memory' }
    const slot = await this.#slot(signal)
    if (signal.aborted) {
      this.#release(slot)
      signal.throwIfAborted()
    }
    const work = this.#decodeIn(slot, bytes).finally(() => {
      this.#running.delete(work)
      this.#release(slot)
    })
    this.#running.add(work)
    return unlessAborted(work, signal)
  }

  async #decodeIn(slot: Slot, bytes: Uint8Array): Promise<DecodeOutcome> {
    const child = (await this.#stillGood(slot.child)) ? slot.child! : await this.#replace(slot)
    const outcome = await child.decode(bytes, this.#options.wallMs)
    // What ended because we are closing says nothing about the image.
    if (this.#closed) throw closing()
    if (!child.alive && outcome.kind === 'failed') this.#options.onLost?.(outcome.reason)
    return outcome
  }

  async #stillGood(child: DecoderProcess | undefined): Promise<boolean> {
    if (child?.alive !== true) return false
    const { imagesPerChildMax, residentBytesMax, processorSeconds } = this.#options
    if (child.images >= imagesPerChildMax || child.residentBytes > residentBytesMax) return false
    return child.grantProcessorTime(processorSeconds)
  }

  async #replace(slot: Slot): Promise<DecoderProcess> {
    await slot.child?.kill()
    slot.child = await DecoderProcess.start(this.#sandbox, this.#options.decoderClass)
    if (this.#closed) {
      await slot.child?.kill()
      throw closing()
    }
    if (slot.child === undefined) throw new RetryableError('no decoder child could be started')
    if (!slot.child.hasKernel && !this.#saidThatItIsSlow) {
      this.#saidThatItIsSlow = true
      this.#options.warn(
        'images are hashed without WebAssembly, which takes two to three times as long',
      )
    }
    return slot.child
  }

  async #slot(signal: AbortSignal): Promise<Slot> {
    if (this.#closed) throw closing()
    const free = this.#free.pop()
    if (free !== undefined) return free
    const { promise, resolve: give, reject: refuse } = Promise.withResolvers<Slot>()
    const waiting = { give, refuse }
    this.#waiting.add(waiting)
    const leave = () => {
      // Out of the line first: a slot that is given to somebody who left would be lost.
      this.#waiting.delete(waiting)
      refuse(signal.reason)
    }
    signal.addEventListener('abort', leave, { once: true })
    return promise.finally(() => signal.removeEventListener('abort', leave))
  }

  #release(slot: Slot): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(slot)
      return
    }
    this.#waiting.delete(next)
    next.give(slot)
  }

  /** Ends the children at once. Whoever waits gets RetryableError. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const waiting of this.#waiting) waiting.refuse(closing())
    this.#waiting.clear()
    await Promise.all(this.#slots.map(async ({ child }) => child?.kill()))
    await Promise.allSettled(this.#running)
  }
}

function closing(): RetryableError {
  return new RetryableError('the decoder is closing')
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const abort = () => reject(signal.reason)
  signal.addEventListener('abort', abort, { once: true })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', abort)
  }
}
