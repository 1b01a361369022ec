// The conformance check: what docs/extending.md asks of a plug-in, tried. For whoever writes one, and for the operator who is
// about to name it.
import type { ExchangePlugin } from './exchange-plugin.ts'
import { isNear } from './metric.ts'
import type { PluginHash, SignalPlugin } from './signal-plugin.ts'

export type CheckRow = {
  check: string
  state: 'holds' | 'fails' | 'not tried'
  detail: string
}

export type Sample = { name: string; bytes: Uint8Array }

const noiseBytes = 1024 * 1024
const together = 8

/** `open`: a process of its own each time. Stops at the first check without which the others mean nothing. */
export async function checkSignalPlugin(
  open: () => SignalPlugin,
  samples: readonly Sample[],
): Promise<CheckRow[]> {
  await using plugin = open()
  const empty = await plugin.hash(new Uint8Array())
  if (empty.kind === 'failed')
    return [row('starts, says hello, takes an empty file', false, failure(empty, plugin))]
  const rows = [row('starts, says hello, takes an empty file', true, told(empty))]
  const noise = await plugin.hash(noiseOf(noiseBytes))
  rows.push(row('takes 1 MB that is no media', noise.kind !== 'failed', told(noise)))
  const values: string[] = []
  for (const { name, bytes } of samples) {
    const startMs = performance.now()
    const hashed = await plugin.hash(bytes)
    const ms = `in ${Math.round(performance.now() - startMs)} ms`
    rows.push(row(`sample ${name}`, hashed.kind !== 'failed', `${told(hashed)} ${ms}`))
    if (hashed.kind === 'value') values.push(hashed.value)
  }
  if (values.length === 0)
    return [...rows, untried('values and distances', 'no sample has a value: give --sample FILE')]
  const sample = await withValue(plugin, samples)
  rows.push(await sameAgain(open, plugin, sample))
  rows.push(await apart(plugin, values))
  const answers = await Promise.all(
    Array.from({ length: together }, () => plugin.hash(sample.bytes)),
  )
  const alike = new Set(answers.map((answer) => JSON.stringify(answer))).size === 1
  rows.push(row(`answers ${together} asks that come together`, alike, ''))
  rows.push(row('one process did all of it', plugin.host.starts() === 1, ''))
  return rows
}

/** Asks for two pages, so it talks to the programme. */
export async function checkExchangePlugin(open: () => ExchangePlugin): Promise<CheckRow[]> {
  await using plugin = open()
  const first = await plugin.fetch(undefined)
  const begins = 'gives the changes from the beginning'
  if (first.kind === 'failed') return [row(begins, false, failure(first, plugin))]
  const rows = [row(begins, true, `${first.updates.length} changes, more: ${first.more}`)]
  const again = await plugin.fetch(undefined)
  rows.push(row('gives them again when asked again', again.kind === 'updates', ''))
  const next = await plugin.fetch(first.checkpoint)
  const detail =
    next.kind === 'failed' ? failure(next, plugin) : `${next.updates.length} changes follow`
  return [...rows, row('goes on from its checkpoint', next.kind === 'updates', detail)]
}

async function withValue(plugin: SignalPlugin, samples: readonly Sample[]): Promise<Sample> {
  for (const sample of samples)
    if ((await plugin.hash(sample.bytes)).kind === 'value') return sample
  throw new Error('a sample that had a value has none now')
}

/** In this process and in a fresh one: nothing kept between files may change a value. */
async function sameAgain(
  open: () => SignalPlugin,
  plugin: SignalPlugin,
  { bytes }: Sample,
): Promise<CheckRow> {
  await using fresh = open()
  const [here, there] = [await plugin.hash(bytes), await fresh.hash(bytes)]
  const isSame = here.kind === 'value' && JSON.stringify(here) === JSON.stringify(there)
  return row('gives the same value again, also in a fresh process', isSame, '')
}

async function apart(plugin: SignalPlugin, values: readonly string[]): Promise<CheckRow> {
  const check = 'a value is at distance 0 from itself, and as far there as back'
  const distances = new Set<number>()
  for (const a of values) {
    for (const b of values) {
      const [there, back] = [await plugin.compare(a, b), await plugin.compare(b, a)]
      if (there.kind === 'failed' || back.kind === 'failed') return row(check, false, 'no distance')
      if (there.distance !== back.distance) return row(check, false, 'not as far back')
      if (a === b && there.distance !== 0) return row(check, false, 'not 0 from itself')
      if (a !== b) distances.add(there.distance)
    }
  }
  const near = [...distances].filter((distance) => isNear(plugin.manifest.metric, distance))
  return row(check, true, near.length === 0 ? '' : `some samples match each other: ${near.join()}`)
}

function row(check: string, holds: boolean, detail: string): CheckRow {
  return { check, state: holds ? 'holds' : 'fails', detail }
}

function untried(check: string, detail: string): CheckRow {
  return { check, state: 'not tried', detail }
}

function told(hashed: PluginHash): string {
  switch (hashed.kind) {
    case 'value':
      return hashed.quality === undefined ? 'a value' : `a value of quality ${hashed.quality}`
    case 'none':
      return 'no value'
    case 'failed':
      return hashed.reason
    default:
      return hashed satisfies never
  }
}

/** With what it wrote to stderr: only a check shows that. */
function failure(
  { reason }: { reason: string },
  { host }: { host: { lastWords(): string } },
): string {
  const words = host.lastWords().trim()
  return words === '' ? reason : `${reason}; it wrote: ${words}`
}

/** The same each time (xorshift). */
function noiseOf(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let word = 0x9e3779b9
  for (let i = 0; i < length; i++) {
    word ^= word << 13
    word ^= word >>> 17
    word ^= word << 5
    bytes[i] = word
  }
  return bytes
}
