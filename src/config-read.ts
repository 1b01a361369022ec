// From the environment to values, and from values to what they mean; problems are collected. Pure.
import { settings } from './config-settings.ts'
import type { Setting, SettingName } from './config-settings.ts'

/** Variables that are not ours, and look as if they were. */
export function strangers(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set<string>(Object.keys(settings).flatMap((name) => [name, `${name}_FILE`]))
  const problems = Object.keys(env)
    .filter((name) => name.startsWith('BLOBWATCH_') && !known.has(name))
    // The test suite's own variables travel in the same environment.
    .filter((name) => !name.startsWith('BLOBWATCH_TEST_') && name !== 'BLOBWATCH_PDQ_IMAGES')
    .map((name) => `${name} is not a setting of Blobwatch${didYouMean(name)}`)
  if (env['NCMEC_API_KEY'] !== undefined) {
    problems.push(
      'NCMEC_API_KEY is set, but NCMEC gives no API keys: its hash sharing and its CyberTipline each use a user name ' +
        'and a password that NCMEC assigns to your organisation. Remove the variable; this version has no NCMEC client yet.',
    )
  }
  return problems
}

function didYouMean(name: string): string {
  const near = Object.keys(settings).find((known) => {
    const [a, b] = [known.replaceAll('_', ''), name.replaceAll('_', '')]
    return (
      a.startsWith(b) ||
      b.startsWith(a) ||
      a.split('').filter((char, i) => char !== b[i]).length <= 2 ||
      isOneLetterOff(a, b)
    )
  })
  return near === undefined ? '' : ` (did you mean ${near}?)`
}

/** A letter too many or too few, wherever it is. */
function isOneLetterOff(a: string, b: string): boolean {
  const [long, short] = a.length > b.length ? [a, b] : [b, a]
  if (long.length !== short.length + 1) return false
  const at = short.split('').findIndex((char, i) => char !== long[i])
  return at < 0 || short.slice(at) === long.slice(at + 1)
}

/** Each value from its variable, or from the file that `…_FILE` names. */
export function readSettings(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  problems: string[],
): Map<string, string> {
  const values = new Map<string, string>()
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    const given = [name, setting.alias]
      .filter((known) => known !== undefined)
      .flatMap((known) => [
        { from: known, value: env[known] },
        { from: `${known}_FILE`, value: env[`${known}_FILE`], isFile: true },
      ])
      .filter((one) => one.value !== undefined && one.value !== '')
    const [first, second] = given
    if (first !== undefined && second !== undefined && first.value !== second.value) {
      problems.push(`${first.from} and ${second.from} are both set: set one`)
    }
    if (first?.value === undefined) {
      if (setting.fallback !== undefined) values.set(name, setting.fallback)
    } else if (!('isFile' in first)) {
      values.set(name, first.value)
    } else {
      try {
        values.set(name, readFile(first.value).trim())
      } catch {
        problems.push(`${first.from}: the file cannot be read`)
      }
    }
  }
  return values
}

export type Reader = ReturnType<typeof reader>

export function reader(values: Map<string, string>, problems: string[]) {
  const text = (name: SettingName) => values.get(name)
  return {
    text,
    required: (name: SettingName) => text(name) ?? '',
    integer(name: SettingName, min: number, max: number): number {
      const value = Number(text(name))
      if (!/^\d+$/.test(text(name) ?? '') || value < min || value > max) {
        problems.push(`${name} is a whole number from ${min} to ${max}`)
        return min
      }
      return value
    },
    oneOf<const T extends string>(name: SettingName, allowed: readonly T[]): T {
      const value = allowed.find((one) => one === text(name))
      if (value === undefined) problems.push(`${name} is one of ${allowed.join(', ')}`)
      return value ?? (allowed[0] as T)
    },
    /** Scheme, host and port; a path would be lost in silence and is refused. */
    origin(name: SettingName, schemes: string[]): string | undefined {
      const value = text(name)
      if (value === undefined || value === 'off') return undefined
      const url = URL.canParse(value) ? new URL(value) : undefined
      if (
        url === undefined ||
        !schemes.includes(url.protocol) ||
        url.username !== '' ||
        !['', '/'].includes(url.pathname)
      ) {
        problems.push(`${name} is an address like ${schemes[0]}//host without a path`)
        return undefined
      }
      return `${url.protocol}//${url.host}`
    },
  }
}
