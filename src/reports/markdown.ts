// Tables, numbers and spans as an auditor reads them, in print or rendered.

/** Columns that begin with `>` are numbers and stand to the right. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const right = heads.map((head) => head.startsWith('>'))
  const names = heads.map((head) => head.replace(/^>/, ''))
  const cells = [names, ...rows.map((row) => row.map(escaped))]
  const widths = names.map((_, column) =>
    Math.max(3, ...cells.map((row) => (row[column] ?? '').length)),
  )
  const line = (row: readonly string[]) =>
    `| ${widths
      .map((width, column) => {
        const cell = row[column] ?? ''
        return right[column] === true ? cell.padStart(width) : cell.padEnd(width)
      })
      .join(' | ')} |`
  const rule = widths.map((width, column) =>
    right[column] === true ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width),
  )
  return [line(names), `| ${rule.join(' | ')} |`, ...cells.slice(1).map(line)]
}

/** 1234567 -> `1 234 567`, with a space that does not break. */
export function figure(value: number): string {
  return String(value).replaceAll(/\B(?=(\d{3})+(?!\d))/g, '\u00A0')
}

export function percent(rate: number | null): string {
  return rate === null ? 'n/a' : `${(rate * 100).toFixed(1)}%`
}

/** The two largest units: `3 d 4 h`, `2 min 5 s`, `0.4 s`. */
export function span(seconds: number): string {
  if (seconds < 10) return `${Number(seconds.toFixed(1))} s`
  const whole = Math.round(seconds)
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ]
  const first = parts.findIndex(([value]) => value > 0)
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ')
}

/** To the minute, in UTC. */
export function time(at: Date): string {
  const text = at.toISOString()
  return `${text.slice(0, 10)} ${text.slice(11, 16)}Z`
}

export function bankName({ bank, name }: { bank: string; name: string | null }): string {
  return name === null ? bank : `${bank} ${name}`
}

/** The sentence instead of a table without rows. */
export function orNone(rows: readonly unknown[], lines: string[], none: string): string[] {
  return rows.length === 0 ? [none] : lines
}

function escaped(cell: string): string {
  return cell.replaceAll('|', String.raw`\|`).replaceAll(/\s*\n\s*/g, ' ')
}
