// Our verifier and the second one of src/verifier/second, each one process that is asked about many bundles.
import { spawn, spawnSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Files } from './tampering-tools-in-test.ts'

/** `places`: where tampering was found. `exit`: an error's words where the process broke down. */
export type Opinion = { exit: number | string; places: string[] }
export type BundleCase = {
  files: Files
  policy?: string | Uint8Array
  keys?: readonly string[]
  pins?: readonly string[]
  now?: string
  maxAge?: string
}
export type Verifiers = {
  /** What ours says, and what the second says. */
  ask(one: BundleCase): Promise<{ ours: Opinion; second: Opinion }>
  askFor(args: readonly string[]): Promise<{ ours: Opinion; second: Opinion }>
  stop(): void
}

/** In words, why the second verifier cannot run here; undefined: it can. */
export function lackOfPython(): string | undefined {
  const tried = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'])
  return tried.status === 0
    ? undefined
    : 'no python3 of 3.9 or newer: whether an independent verifier agrees with ours is not tried'
}

export function startVerifiers(folder: string): Verifiers {
  const ours = startServer(process.execPath, ['serve-in-test.ts'], readOurs)
  const second = startServer('python3', ['second/verify.py', '--serve'], readSecond)
  let cases = 0
  const askFor = async (args: readonly string[]) => {
    const [one, other] = await Promise.all([ours.ask(args), second.ask(args)])
    return { ours: one, second: other }
  }
  return {
    askFor,
    async ask(one) {
      const home = join(folder, String((cases += 1)))
      const opinions = await askFor(await writeCase(home, one))
      await rm(home, { recursive: true })
      return opinions
    },
    stop() {
      ours.stop()
      second.stop()
    },
  }
}

/** Writes the bundle with what belongs to it, and gives the arguments for it. */
async function writeCase(home: string, one: BundleCase): Promise<string[]> {
  await mkdir(join(home, 'bundle'), { recursive: true })
  const args = [join(home, 'bundle'), ...(one.keys ?? []).flatMap((key) => ['--key', key])]
  for (const [path, bytes] of one.files) {
    const file = join(home, 'bundle', path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, bytes)
  }
  const add = async (option: string, name: string, content: string | Uint8Array) => {
    await writeFile(join(home, name), content)
    args.push(option, join(home, name))
  }
  if (one.policy !== undefined) await add('--policy', 'policy.txt', one.policy)
  for (const [i, pin] of (one.pins ?? []).entries()) await add('--pin', `pin-${i}`, pin)
  if (one.now !== undefined) args.push('--now', one.now)
  if (one.maxAge !== undefined) args.push('--max-age', one.maxAge)
  return args
}

function startServer(command: string, args: string[], read: (line: string) => Opinion) {
  const child = spawn(command, args, {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(given: readonly string[]): Promise<Opinion> {
      child.stdin.write(`${JSON.stringify(given)}\n`)
      const line = await lines.next()
      if (line.done === true) throw new Error(`${command} ended: it cannot be asked`)
      return read(line.value)
    },
    stop: () => child.stdin.end(),
  }
}

function readOurs(line: string): Opinion {
  const { exit, out } = JSON.parse(line) as { exit: number | string; out: string }
  if (exit !== 1) return { exit, places: [] }
  const { findings } = JSON.parse(out) as { findings: { kind: string; where: string }[] }
  return {
    exit,
    places: findings.flatMap(({ kind, where }) => (kind === 'tampered' ? [where] : [])),
  }
}

function readSecond(line: string): Opinion {
  const { exit, problems } = JSON.parse(line) as { exit: number; problems: Problem[] }
  return { exit, places: problems.flatMap(({ kind, where }) => (kind === 'T' ? [where] : [])) }
}

type Problem = { kind: 'T' | 'I' | 'U'; where: string }
