// A plug-in's manifest: who it is, how it is started, what its values are. docs/extending.md has it to the letter.
//
// Promises: every problem at once, and nothing of the file is run or guessed. A manifest is named by the operator only.
import { dirname, isAbsolute, join } from 'node:path'
import { z } from 'zod'
import { signalTypes } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'

export const protocolVersion = 1

export const manifestLimits = {
  charsMax: 64 * 1024,
  wallMs: { least: 10, most: 60_000, usual: 5_000 },
  memoryMb: { least: 16, most: 4096, usual: 256 },
  valueDigitsMax: 2048,
} as const

const { wallMs, memoryMb, valueDigitsMax } = manifestLimits

const shared = {
  blobwatch: z.literal(protocolVersion),
  /** What answers and banks call it. */
  name: z.string().regex(/^[a-z][a-z0-9_]{1,31}$/, 'is 2 to 32 of a-z, 0-9 and _'),
  version: z.string().min(1).max(64),
  command: z
    .array(
      z
        .string()
        .min(1)
        .max(4096)
        .regex(/^[^\0]+$/),
    )
    .min(1)
    .max(64),
  limits: z
    .strictObject({
      wallMs: z.int().min(wallMs.least).max(wallMs.most).default(wallMs.usual),
      memoryMb: z.int().min(memoryMb.least).max(memoryMb.most).default(memoryMb.usual),
    })
    .prefault({}),
}

const metric = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('exact') }),
  z.strictObject({
    kind: z.literal('hamming'),
    bits: z
      .int()
      .min(8)
      .max(valueDigitsMax * 4),
    radius: z.int().min(0),
  }),
  z.strictObject({ kind: z.literal('compare'), radius: z.number().min(0) }),
])

const signalType = z.strictObject({
  ...shared,
  kind: z.literal('signal-type'),
  /** The kinds of media that it is asked about. */
  media: z.array(z.enum(['image', 'video', 'other'])).min(1),
  /** Hex digits of a value. */
  digits: z.int().min(2).max(valueDigitsMax),
  metric,
})

const exchange = z.strictObject({
  ...shared,
  kind: z.literal('exchange'),
  /** Handed over at the start, as it is: an address, an account, a credential. */
  config: z.record(z.string(), z.json()).default({}),
})

const schema = z.discriminatedUnion('kind', [signalType, exchange])

export type SignalTypeManifest = z.infer<typeof signalType>
export type ExchangeManifest = z.infer<typeof exchange>
export type Manifest = SignalTypeManifest | ExchangeManifest
export type Metric = SignalTypeManifest['metric']

/** `path`: absolute, where the text was read; words that begin with ./ are beside it. Throws UsageError. */
export function parseManifest(text: string, path: string): Manifest {
  if (text.length > manifestLimits.charsMax) throw new UsageError(`${path} is too long`)
  const parsed = schema.safeParse(jsonIn(text, path))
  if (!parsed.success) {
    const lines = parsed.error.issues.map(({ path: at, message }) =>
      [`${path}:`, at.join('.'), message].filter((word) => word !== '').join(' '),
    )
    throw new UsageError(lines.join('\n'))
  }
  const manifest = parsed.data
  const problems = manifest.kind === 'signal-type' ? contradictions(manifest) : []
  if (problems.length > 0)
    throw new UsageError(problems.map((problem) => `${path}: ${problem}`).join('\n'))
  const command = manifest.command.map((word) =>
    word.startsWith('./') ? join(dirname(path), word) : word,
  )
  if (!isAbsolute(command[0]!) && command[0]!.includes('/'))
    throw new UsageError(`${path}: command begins with a name, a whole path, or ./ beside it`)
  return { ...manifest, command }
}

function jsonIn(text: string, path: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // A manifest may hold a credential, which the parser's message would quote.
    throw new UsageError(`${path} is not JSON`)
  }
}

function contradictions({ name, digits, metric }: SignalTypeManifest): string[] {
  const problems: string[] = []
  if ((signalTypes as readonly string[]).includes(name))
    problems.push(`name ${name} is a signal type of ours`)
  if (digits % 2 !== 0) problems.push('digits is even: two hex digits are a byte')
  if (metric.kind !== 'hamming') return problems
  if (metric.bits !== digits * 4) problems.push('metric.bits is four times digits')
  if (metric.radius >= metric.bits / 2)
    problems.push('metric.radius is under half of metric.bits: there everything matches')
  return problems
}
