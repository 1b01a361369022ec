// One plug-in's process as we see it: a line there, a line back, and an outcome however it behaves. Everything it sends is
// hostile; whatever does not fit the protocol ends it.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'

/** Why there is no answer. `refused`: it said so itself, and goes on. */
export type PluginFailure = 'timeout' | 'ended' | 'memory' | 'protocol' | 'refused' | 'resting'

export type Reply =
  { kind: 'line'; line: Record<string, unknown> } | { kind: 'failed'; reason: PluginFailure }

export type Ask = {
  op: string
  /** Besides `id` and `op`. */
  fields?: Record<string, unknown>
  /** Follows the line as it is; the line says how long it is. */
  bytes?: Uint8Array
  wallMs: number
  answerBytesMax: number
}

const lastWordsMax = 4096

export class PluginProcess {
  readonly #child: ChildProcessWithoutNullStreams
  #alive = true
  #lastId = 0
  #lastWords = ''
  #chunks: Buffer[] = []
  #bytes = 0
  #bytesMax = 0
  #onReply: ((reply: Reply) => void) | undefined
  readonly #gone: Promise<void>

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    child.stdin.on('error', () => {}) // A broken pipe: the end that follows says why.
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk))
    child.stderr.on('data', (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString('utf8')).slice(-lastWordsMax)
    })
    this.#gone = new Promise((resolve) => {
      const end = () => {
        this.#alive = false
        this.#reply({ kind: 'failed', reason: this.#ranOutOfMemory() ? 'memory' : 'ended' })
        resolve()
      }
      child.once('error', end)
      child.once('close', end)
    })
  }

  get alive(): boolean {
    return this.#alive
  }

  /** The end of what it wrote to stderr, for whoever writes plug-ins. Never for a log: it may quote what it was given. */
  get lastWords(): string {
    return this.#lastWords
  }

  /** One at a time. Never throws. After `timeout` and `protocol` the process is gone. */
  async ask({ op, fields, bytes, wallMs, answerBytesMax }: Ask): Promise<Reply> {
    if (!this.#alive) return { kind: 'failed', reason: 'ended' }
    this.#lastId += 1
    const id = this.#lastId
    const line = { id, op, ...fields, ...(bytes !== undefined && { bytes: bytes.length }) }
    this.#bytesMax = answerBytesMax
    const { promise, resolve } = Promise.withResolvers<Reply>()
    const timer = setTimeout(() => this.#reply({ kind: 'failed', reason: 'timeout' }), wallMs)
    this.#onReply = resolve
    this.#child.stdin.write(`${JSON.stringify(line)}\n`)
    if (bytes !== undefined) this.#child.stdin.write(bytes)
    const reply = checked(await promise, id)
    clearTimeout(timer)
    if (reply.kind === 'failed' && reply.reason !== 'refused') await this.kill()
    return reply
  }

  /** With everything that it started. Done when it is gone. */
  async kill(): Promise<void> {
    if (this.#alive) killGroup(this.#child)
    this.#alive = false
    // Somebody it started may hold the pipes; then they are closed on our side.
    for (const pipe of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) pipe.destroy()
    await this.#gone
  }

  #take(chunk: Buffer): void {
    const end = chunk.indexOf('\n')
    this.#bytes += chunk.length
    // Bytes that nobody asked for, too many, or more than one line.
    if (
      this.#onReply === undefined ||
      this.#bytes > this.#bytesMax ||
      (end >= 0 && end < chunk.length - 1)
    ) {
      this.#reply({ kind: 'failed', reason: 'protocol' })
      if (this.#alive) killGroup(this.#child)
      this.#alive = false
      return
    }
    this.#chunks.push(chunk)
    if (end < 0) return
    const line = objectIn(Buffer.concat(this.#chunks).toString('utf8'))
    this.#chunks = []
    this.#bytes = 0
    this.#reply(
      line === undefined ? { kind: 'failed', reason: 'protocol' } : { kind: 'line', line },
    )
  }

  #reply(reply: Reply): void {
    const onReply = this.#onReply
    this.#onReply = undefined
    onReply?.(reply)
  }

  #ranOutOfMemory(): boolean {
    return /memory ?error|out of memory|bad_alloc|cannot allocate/i.test(this.#lastWords)
  }
}

function checked(reply: Reply, id: number): Reply {
  if (reply.kind === 'failed') return reply
  if (reply.line['id'] !== id) return { kind: 'failed', reason: 'protocol' }
  return 'error' in reply.line ? { kind: 'failed', reason: 'refused' } : reply
}

function objectIn(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    // Not JSON: the caller ends the process for it.
    return undefined
  }
}

/** It leads a group of its own (sandbox.ts: detached). */
function killGroup(child: ChildProcessWithoutNullStreams): void {
  if (child.pid === undefined) return
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // Gone already, or another user's where the group is not ours to signal: then the one process at least.
    child.kill('SIGKILL')
  }
}
