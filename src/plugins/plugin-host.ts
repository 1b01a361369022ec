// Signal types and exchanges that are programs of others, in any language. The protocol is docs/extending.md.
//
// Promises: a plug-in runs behind the decoder's walls, without a shell, an environment or a file of ours; a signal type has no
// network. Every ask ends: by an answer, by the manifest's time, or because the process ended. One that failed is started anew
// with the next ask, after a rest that doubles; asks during the rest end at once. What it answers is parsed before it is believed.
// Assumes the operator named the manifest: what a program says about a picture is as good as the program.
// A crash leaves nothing: where setpriv works it is killed with us, and it sees its pipe close.
import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { existsSync } from 'node:fs'
import { msSince } from '../domain/ms-since.ts'
import type { Clock } from '../domain/ports.ts'
import { protocolVersion } from './manifest.ts'
import type { Manifest } from './manifest.ts'
import { PluginProcess } from './plugin-process.ts'
import type { Ask, PluginFailure } from './plugin-process.ts'

/** What Sandbox.spawnProgram does. */
export type SpawnProgram = (
  argv: readonly string[],
  limits: { memoryBytes: number; processorSeconds: number; network: boolean },
) => ChildProcessWithoutNullStreams

export type PluginParts = { spawn: SpawnProgram; clock: Clock }

export type Failed = { kind: 'failed'; reason: PluginFailure }

export type PluginHost = AsyncDisposable & {
  /** Asks wait for each other. What `parse` does not know ends the process, as any other breach of the protocol does. */
  ask<Answer>(
    ask: Omit<Ask, 'wallMs'>,
    parse: (line: Record<string, unknown>) => Answer | undefined,
    /** Aborted before its turn, it is not asked: nobody waits for it. */
    signal?: AbortSignal,
  ): Promise<Answer | Failed>
  lastWords(): string
  /** How often a process was started. */
  starts(): number
}

export const hostLimits = {
  startMsMax: 10_000,
  helloBytesMax: 4096,
  asksWaitingMax: 64,
  /** After so many asks the process is replaced: its limit of processor time counts from its start. */
  asksPerProcessMax: 1000,
  processorSecondsPerAsk: 2,
  restMs: { first: 250, most: 60_000 },
} as const

/** `introduced`: what an exchange is told with `hello`. */
export function createPluginHost(
  manifest: Manifest,
  parts: PluginParts,
  introduced: Record<string, unknown> = {},
): PluginHost {
  const { asksWaitingMax, asksPerProcessMax, restMs } = hostLimits
  let current: PluginProcess | undefined
  let asks = 0
  let starts = 0
  let failures = 0
  let rested = { fromMs: 0, ms: 0 }
  let waiting = 0
  let closed = false
  let last: Promise<unknown> = Promise.resolve()

  const hello: Ask = {
    op: 'hello',
    fields: { protocol: protocolVersion, ...introduced },
    wallMs: hostLimits.startMsMax,
    answerBytesMax: hostLimits.helloBytesMax,
  }
  const start = async (): Promise<PluginProcess | Failed> => {
    if (current?.alive === true && asks < asksPerProcessMax) return current
    await current?.kill()
    if (msSince(rested.fromMs, parts.clock()) < rested.ms)
      return { kind: 'failed', reason: 'resting' }
    starts += 1
    asks = 0
    current = new PluginProcess(parts.spawn(findProgram(manifest.command), limitsOf(manifest)))
    const reply = await current.ask(hello)
    if (reply.kind === 'failed') return reply
    const { protocol, name } = reply.line
    if (protocol === protocolVersion && name === manifest.name) return current
    await current.kill()
    return { kind: 'failed', reason: 'protocol' }
  }
  const askOnce = async <Answer>(
    ask: Omit<Ask, 'wallMs'>,
    parse: (line: Record<string, unknown>) => Answer | undefined,
  ): Promise<Answer | Failed> => {
    const started = await start()
    if (!(started instanceof PluginProcess)) return started
    asks += 1
    const reply = await started.ask({ ...ask, wallMs: manifest.limits.wallMs })
    if (reply.kind === 'failed') return reply
    const answer = parse(reply.line)
    if (answer !== undefined) return answer
    await started.kill()
    return { kind: 'failed', reason: 'protocol' }
  }
  const rest = ({ reason }: Failed) => {
    if (reason === 'resting' || reason === 'refused') return
    rested = { fromMs: parts.clock(), ms: Math.min(restMs.most, restMs.first * 2 ** failures) }
    failures += 1
  }
  return {
    starts: () => starts,
    lastWords: () => current?.lastWords ?? '',
    async ask(ask, parse, signal) {
      if (waiting >= asksWaitingMax) return { kind: 'failed', reason: 'resting' }
      waiting += 1
      const mine = last.then(async () => {
        if (closed) return { kind: 'failed', reason: 'ended' } as const
        if (signal?.aborted === true) return { kind: 'failed', reason: 'resting' } as const
        const answer = await askOnce(ask, parse)
        if (isFailed(answer)) rest(answer)
        else failures = 0
        return answer
      })
      // A fault of ours is the asker's to hear; the next one still gets its turn.
      last = mine.catch(() => undefined)
      return await mine.finally(() => (waiting -= 1))
    },
    async [Symbol.asyncDispose]() {
      closed = true
      await current?.kill()
      await last
    },
  }
}

function isFailed(answer: unknown): answer is Failed {
  return typeof answer === 'object' && (answer as Partial<Failed>).kind === 'failed'
}

function limitsOf({ kind, limits }: Manifest): Parameters<SpawnProgram>[1] {
  return {
    memoryBytes: limits.memoryMb * 1024 * 1024,
    processorSeconds: hostLimits.asksPerProcessMax * hostLimits.processorSecondsPerAsk,
    network: kind === 'exchange',
  }
}

/** Fixed folders, not PATH, as for the tools of the walls. */
function findProgram([name, ...words]: readonly string[]): string[] {
  if (name!.includes('/')) return [name!, ...words]
  const folders = ['/usr/local/bin', '/usr/bin', '/bin']
  const path = folders.map((folder) => `${folder}/${name}`).find((one) => existsSync(one))
  // Not there: the child ends, and says so as any other program that cannot run.
  return [path ?? name!, ...words]
}
