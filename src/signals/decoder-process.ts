// One decoder child as the parent sees it: one image at a time, and an outcome however the child behaves. Everything
// it sends is hostile; whatever does not fit ends it. `alive` false means that the next image needs another child.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { parseOutcome, parseReady } from './decode-answer.ts'
import type { DecodeOutcome, DecodeReason } from './decode-answer.ts'
import type { DecoderClass } from './decode-image.ts'
import { AnswerReader, frameHeader } from './frames.ts'
import { processUsage } from './process-usage.ts'
import type { Sandbox } from './sandbox.ts'
import { besideThisFile } from './walls.ts'

const startMsMax = 10_000
const lastWordsMax = 4096
/** How long the last of stderr may take to arrive after the end; a stray grandchild could hold the pipe open. */
const lastWordsMs = 200

type Reply =
  | { kind: 'frame'; bytes: Buffer }
  | { kind: 'broken' }
  | { kind: 'late' }
  | { kind: 'ended'; signal: NodeJS.Signals | null }

export class DecoderProcess {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #sandbox: Sandbox
  readonly #reader = new AnswerReader()
  readonly #gone: Promise<void>
  #onReply: ((reply: Reply) => void) | undefined
  #lastWords = ''
  #processorSecondsLimit: number
  #alive = true
  #images = 0
  #hasKernel = false

  /** undefined when it does not say that it is ready in time. */
  static async start(
    sandbox: Sandbox,
    decoderClass: DecoderClass,
  ): Promise<DecoderProcess | undefined> {
    const child = new DecoderProcess(sandbox, decoderClass)
    const reply = await child.#next(startMsMax)
    const ready = reply.kind === 'frame' ? parseReady(reply.bytes) : undefined
    if (ready !== undefined) {
      child.#hasKernel = ready.kernel
      return child
    }
    await child.kill()
    return undefined
  }

  private constructor(sandbox: Sandbox, decoderClass: DecoderClass) {
    this.#sandbox = sandbox
    this.#processorSecondsLimit = sandbox.limits.processorSeconds
    this.#process = sandbox.spawn(besideThisFile('./decoder-child'), [decoderClass])
    this.#process.stdin.on('error', () => {}) // A broken pipe: the exit that follows says why.
    this.#process.stdout.on('data', (chunk: Buffer) => this.#take(chunk))
    this.#process.stderr.on('data', (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString('latin1')).slice(0, lastWordsMax)
    })
    this.#gone = new Promise((resolve) => {
      this.#process.on('error', () => this.#end(null, resolve))
      this.#process.once('exit', (_, signal) => {
        const timer = setTimeout(() => this.#end(signal, resolve), lastWordsMs)
        this.#process.once('close', () => {
          clearTimeout(timer)
          this.#end(signal, resolve)
        })
      })
    })
  }

  /** False when it ended or is not to be trusted with another image. */
  get alive(): boolean {
    return this.#alive
  }

  /** False where it hashes without WebAssembly. */
  get hasKernel(): boolean {
    return this.#hasKernel
  }

  get images(): number {
    return this.#images
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /** Bytes of memory it holds between images; 0 where that is not known. */
  get residentBytes(): number {
    return processUsage(this.pid)?.residentBytes ?? 0
  }

  /** Never throws. `wallMs` counts from when the bytes are handed over. */
  async decode(bytes: Uint8Array, wallMs: number): Promise<DecodeOutcome> {
    this.#images += 1
    const next = this.#next(wallMs)
    this.#process.stdin.write(frameHeader(bytes.length))
    this.#process.stdin.write(bytes)
    const reply = await next
    const outcome = reply.kind === 'frame' ? parseOutcome(reply.bytes) : undefined
    if (outcome !== undefined) return outcome
    await this.kill()
    return {
      kind: 'failed',
      reason: reply.kind === 'frame' ? 'decoder-crash' : this.#reason(reply),
    }
  }

  /**
   * Makes sure that the next image has at least `seconds` of processor time. The kernel's limit counts from the start of
   * the process, so it is moved when less is left, and not before each image: a move costs a process.
   * False when it cannot be moved; the child is then used up.
   */
  async grantProcessorTime(seconds: number): Promise<boolean> {
    if (this.#sandbox.walls.limits === 'missing') return true
    const used = processUsage(this.pid)?.processorSeconds
    if (used === undefined) return false
    if (this.#processorSecondsLimit - used >= seconds) return true
    this.#processorSecondsLimit = Math.ceil(used) + 2 * seconds
    return this.#sandbox.limitProcessorSeconds(this.pid, this.#processorSecondsLimit)
  }

  /** Done when the process is gone. */
  async kill(): Promise<void> {
    this.#alive = false
    this.#process.kill('SIGKILL')
    await this.#gone
  }

  #reason(reply: Exclude<Reply, { kind: 'frame' }>): DecodeReason {
    switch (reply.kind) {
      case 'late':
        return 'decoder-timeout'
      case 'broken':
        return 'decoder-crash'
      case 'ended':
        if (reply.signal === 'SIGXCPU') return 'decoder-timeout'
        // V8, C++ and GLib end the process when memory runs out and say so in different words.
        return /memory|alloc/i.test(this.#lastWords) ? 'decoder-memory' : 'decoder-crash'
      default:
        return reply satisfies never
    }
  }

  #next(withinMs: number): Promise<Reply> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#reply({ kind: 'late' }), withinMs)
      this.#onReply = (reply) => {
        clearTimeout(timer)
        resolve(reply)
      }
      if (!this.#alive) this.#reply({ kind: 'ended', signal: null })
    })
  }

  #take(chunk: Buffer): void {
    const read = this.#reader.push(chunk)
    if (read.kind === 'more') return
    if (read.kind === 'frame' && this.#onReply !== undefined) this.#reply(read)
    else this.#break()
  }

  /** Bytes that nobody asked for, or too many: it no longer does what our code does. */
  #break(): void {
    this.#alive = false
    this.#process.kill('SIGKILL')
    this.#reply({ kind: 'broken' })
  }

  #end(signal: NodeJS.Signals | null, gone: () => void): void {
    this.#alive = false
    for (const pipe of [this.#process.stdin, this.#process.stdout, this.#process.stderr])
      pipe.destroy()
    this.#reply({ kind: 'ended', signal })
    gone()
  }

  #reply(reply: Reply): void {
    const onReply = this.#onReply
    this.#onReply = undefined
    onReply?.(reply)
  }
}
