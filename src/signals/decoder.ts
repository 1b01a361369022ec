// Images to PDQ in sandboxed children: the common formats in some, AVIF in others.
//
// Promises: what decoder-pool.ts promises, for each class of decoders by itself: children that decode AVIF decode nothing
// else and have limits and a queue of their own, so whoever finds a hole in that decoder, or makes it slow, meets no other
// picture. They are started when the first AVIF arrives.
import type { DecodeOutcome } from './decode-answer.ts'
import type { DecoderClass } from './decode-image.ts'
import { DecoderPool, type PoolLimits } from './decoder-pool.ts'
import { openSandbox, type Sandbox } from './sandbox.ts'
import type { Walls } from './walls.ts'

export type DecoderOptions = PoolLimits & {
  /** What differs for AVIF. */
  avif: Partial<PoolLimits>
  /** Node 24. */
  nodePath: string
  warn: (message: string) => void
  /** Told when an image ended its child: `decoder-timeout`, `decoder-memory`, `decoder-crash`. */
  onLost?: (reason: string) => void
}

export const decoderDefaults: Omit<DecoderOptions, 'warn'> = {
  slots: 2,
  // The worst 50-megapixel picture (lossless WebP) allocates 1.2 GB, of which 0.65 GB are resident for a moment. With less
  // such pictures end as `decoder-memory`, or as `corrupt` where the decoder does not say what it lacked.
  memoryBytes: 1536 * 1024 * 1024,
  wallMs: 5_000,
  processorSeconds: 10,
  imagesPerChildMax: 500,
  residentBytesMax: 300 * 1024 * 1024,
  imageBytesMax: 128 * 1024 * 1024,
  avif: { slots: 1, wallMs: 10_000, imagesPerChildMax: 100 },
  nodePath: process.execPath,
}

export class Decoder {
  readonly #sandbox: Sandbox
  readonly #pools: Record<DecoderClass, DecoderPool>

  /** Throws RetryableError when no child can be started on this machine at all. */
  static async start(options: Partial<DecoderOptions> & Pick<DecoderOptions, 'warn'>) {
    const complete = {
      ...decoderDefaults,
      ...options,
      avif: { ...decoderDefaults.avif, ...options.avif },
    }
    return new Decoder(complete, await openSandbox(complete))
  }

  private constructor(options: DecoderOptions, sandbox: Sandbox) {
    const { avif, ...common } = options
    this.#sandbox = sandbox
    this.#pools = {
      common: new DecoderPool({ ...common, sandbox, decoderClass: 'common' }),
      avif: new DecoderPool({ ...common, ...avif, sandbox, decoderClass: 'avif' }),
    }
  }

  /** Which walls stand between an image and this machine. */
  sandbox(): Walls {
    return { ...this.#sandbox.walls }
  }

  /** Callers that wait for a slot. */
  get waiting(): number {
    return this.#pools.common.waiting + this.#pools.avif.waiting
  }

  /** The pids of the living children, for tests and doctor. */
  get pids(): number[] {
    return [...this.#pools.common.pids, ...this.#pools.avif.pids]
  }

  /**
   * Rejects with the signal's reason when aborted (a running image goes on in its slot and is then forgotten), and with
   * RetryableError when no child can be started or the decoder is closing.
   */
  decode(
    bytes: Uint8Array,
    signal: AbortSignal,
    decoderClass: DecoderClass = 'common',
  ): Promise<DecodeOutcome> {
    return this.#pools[decoderClass].decode(bytes, signal)
  }

  /** Ends the children at once. Whoever waits gets RetryableError. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool[Symbol.asyncDispose]()))
  }
}
