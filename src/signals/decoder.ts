// Images to PDQ in sandboxed children, a few at a time.
//
// Promises: an outcome for every image, whatever is in it; an image that kills or hangs its child costs that child and
// nothing else. No image waits in here with a copy of its bytes: callers wait, first come first served, so whoever
// bounds the callers bounds the memory. Time in the queue does not count against an image.
// Assumes: bytes that were already limited in size by whoever fetched them.
// A crash of this process ends the children with it; nothing is on disk.
import { RetryableError } from '../domain/errors.ts'
import type { DecodeOutcome } from './decode-answer.ts'
import { DecoderProcess } from './decoder-process.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'
import type { Walls } from './walls.ts'

export type DecoderOptions = {
  /** Images decoded at the same time, each in a child of its own. */
  slots: number
  /**
   * What one child may allocate besides what V8 reserves. The worst 50-megapixel picture (lossless WebP) allocates
   * 1.2 GB, of which 0.65 GB are resident for a moment. With less such pictures end as `decoder-memory`, or as
   * `corrupt` where the decoder does not say what it lacked.
   */
  memoryBytes: number
  wallMs: number
  /** The least an image may use; the kernel ends it at about twice that. */
  processorSeconds: number
  /** After so many images, or when it holds more than this between images, a child is replaced. */
  imagesPerChildMax: number
  residentBytesMax: number
  imageBytesMax: number
  /** Node 24. */
  nodePath: string
  warn: (message: string) => void
  /** Told when an image ended its child: `decoder-timeout`, `decoder-memory`, `decoder-crash`. */
  onLost?: (reason: string) => void
}

export const decoderDefaults: Omit<DecoderOptions, 'warn'> = {
  slots: 2,
  memoryBytes: 1536 * 1024 * 1024,
  wallMs: 5_000,
  processorSeconds: 10,
  imagesPerChildMax: 500,
  residentBytesMax: 300 * 1024 * 1024,
  imageBytesMax: 128 * 1024 * 1024,
  nodePath: process.execPath,
}

type Slot = { child?: DecoderProcess | undefined }
type Waiting = { give: (slot: Slot) => void; refuse: (error: unknown) => void }

export class Decoder {
  readonly #options: DecoderOptions
  readonly #sandbox: Sandbox
  readonly #slots: Slot[]
  readonly #free: Slot[]
  readonly #waiting = new Set<Waiting>()
  readonly #running = new Set<Promise<unknown>>()
  #closed = false

  /** Throws RetryableError when no child can be started on this machine at all. */
  static async start(options: Partial<DecoderOptions> & Pick<DecoderOptions, 'warn'>) {
    const complete = { ...decoderDefaults, ...options }
    return new Decoder(
      complete,
      await openSandbox({ ...complete, processorSeconds: complete.processorSeconds * 2 }),
    )
  }

  private constructor(options: DecoderOptions, sandbox: Sandbox) {
    this.#options = options
    this.#sandbox = sandbox
    this.#slots = Array.from({ length: options.slots }, () => ({}))
    this.#free = [...this.#slots]
  }

  /** Which walls stand between an image and this machine. */
  sandbox(): Walls {
    return { ...this.#sandbox.walls }
  }

  /** Callers that wait for a slot. */
  get waiting(): number {
    return this.#waiting.size
  }

  /** The pids of the living children, for tests and doctor. */
  get pids(): number[] {
    return this.#slots.flatMap(({ child }) => (child?.alive === true ? [child.pid] : []))
  }

  /**
   * Rejects with the signal's reason when aborted (a running image goes on in its slot and is then forgotten), and with
   * RetryableError when no child can be started or the decoder is closing.
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
    slot.child = await DecoderProcess.start(this.#sandbox, this.#options.processorSeconds * 2)
    if (this.#closed) {
      await slot.child?.kill()
      throw closing()
    }
    if (slot.child === undefined) throw new RetryableError('no decoder child could be started')
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
