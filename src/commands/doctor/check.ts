// What a check is and how it is run: five seconds, an answer in one line, never a secret, a signal or a user's DID.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../config.ts'
import type { Manifest } from '../../plugins/manifest.ts'
import type { OpenDatabase } from '../../service-database.ts'
import type { Log } from '../../telemetry/log.ts'

export const groups = [
  'machine',
  'database',
  'PDS',
  'network',
  'labeler',
  'banks',
  'ledger',
  'safety',
] as const
export type Group = (typeof groups)[number]

export type Finding = {
  level: 'ok' | 'note' | 'warn' | 'FAIL' | 'skip'
  line: string
  /** What mends it: a command or a setting. */
  fix?: string
  /** Set by the runner when the check itself failed: nothing is known. */
  unchecked?: boolean
}

export type DoctorContext = {
  config: Config
  env: Readonly<Record<string, string | undefined>>
  /** Of the plug-ins that the settings name. Throws UsageError where one is wrong. */
  manifests: () => Manifest[]
  /** undefined: it could not be opened, or there is none yet; `databaseProblem` says so. */
  database: OpenDatabase | undefined
  databaseProblem: Finding
  nowMs: number
  log: Log
  signal: AbortSignal
}

export type Check = {
  /** Stable: scripts may ask for it by name. */
  id: string
  group: Group
  /** Left out with --offline. */
  online?: boolean
  run: (context: DoctorContext) => Promise<Finding>
}

export type Result = Finding & { id: string; group: Group }

export const checkLimits = { checkMs: 5_000, networkMs: 4_500 } as const

export async function runCheck(
  check: Check,
  context: DoctorContext,
  options: { offline: boolean },
): Promise<Result> {
  const about = { id: check.id, group: check.group }
  if (options.offline && check.online === true) return { ...about, ...skip('offline') }
  const stop = new AbortController()
  const late = sleep(checkLimits.checkMs, undefined, { signal: stop.signal }).then(() =>
    unchecked(`no answer within ${checkLimits.checkMs / 1000} s`),
  )
  // Aborting the timer rejects it; by then nobody waits for it.
  late.catch(() => undefined)
  const signal = AbortSignal.any([context.signal, stop.signal])
  try {
    return { ...about, ...(await Promise.race([check.run({ ...context, signal }), late])) }
  } catch (error) {
    // Names only: a message may carry an address or a value.
    const name = error instanceof Error ? error.name : 'an unknown error'
    return { ...about, ...unchecked(`the check failed (${name})`) }
  } finally {
    stop.abort()
  }
}

export function ok(line: string): Finding {
  return { level: 'ok', line }
}
export function note(line: string, fix?: string): Finding {
  return { level: 'note', line, ...(fix !== undefined && { fix }) }
}
export function warn(line: string, fix?: string): Finding {
  return { level: 'warn', line, ...(fix !== undefined && { fix }) }
}
export function fail(line: string, fix?: string): Finding {
  return { level: 'FAIL', line, ...(fix !== undefined && { fix }) }
}
export function skip(why: string): Finding {
  return { level: 'skip', line: why }
}
export function unchecked(line: string): Finding {
  return { level: 'skip', line, unchecked: true }
}

/** A check of what is in the database; without one it says what that check would say. */
export function inDatabase(
  run: (database: OpenDatabase, context: DoctorContext) => Promise<Finding>,
): Check['run'] {
  return (context) =>
    context.database === undefined
      ? Promise.resolve(skip('no database'))
      : run(context.database, context)
}
