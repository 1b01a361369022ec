const unitMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `24h` in milliseconds; undefined: it is none. */
export function parseAge(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  return count === undefined || unit === undefined
    ? undefined
    : Number(count) * unitMs[unit as keyof typeof unitMs]
}
