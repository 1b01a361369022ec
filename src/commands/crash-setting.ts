// BLOBWATCH_CRASH_POINT, for tests: NAME or NAME:COUNT; the process kills itself where it passes that place.
import { UsageError } from '../domain/errors.ts'
import { armCrashPoint, isCrashPoint } from '../telemetry/crash-point.ts'

export function armFromSetting(setting: string | undefined): void {
  if (setting === undefined) return
  const count = /:(\d+)$/.exec(setting)?.[1]
  const name = count === undefined ? setting : setting.slice(0, -count.length - 1)
  if (!isCrashPoint(name)) {
    throw new UsageError(`BLOBWATCH_CRASH_POINT: there is no crash point ${name}`)
  }
  armCrashPoint(name, Number(count ?? 1))
}
