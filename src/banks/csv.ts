// Comma-separated values as RFC 4180 has them: quoted fields may hold commas, quotes and line ends. Pure.

/** One record of a file: its fields, or undefined where it cannot be read; the lines it is on, from 1. */
export type CsvRecord = { fields: string[] | undefined; line: number; lastLine: number }

/**
 * `lines`: without their line feeds; undefined is one that was too long. Where a quote is not closed within `charsMax`,
 * only the line that opened it cannot be read.
 */
export async function* csvRecords(
  lines: AsyncIterable<string | undefined>,
  charsMax: number,
): AsyncGenerator<CsvRecord> {
  /** A record that is not closed yet; it begins on line `line`. */
  let held: string[] = []
  let line = 1
  function* take(next: string | undefined): Generator<CsvRecord> {
    if (next !== undefined) held.push(next)
    const text = held.join('\n')
    if (next === undefined || text.length > charsMax) yield* giveUp(next === undefined)
    else if (!isOpen(text)) {
      const lastLine = line + held.length - 1
      if (text.trim() !== '') yield { fields: fieldsOf(text.replace(/\r$/, '')), line, lastLine }
      line = lastLine + 1
      held = []
    }
  }
  /** The first line is lost; what it would have swallowed is read again. */
  function* giveUp(thenTooLong: boolean): Generator<CsvRecord> {
    const again = held.slice(1)
    const lost = held.length + (thenTooLong ? 1 : 0)
    if (lost > 0) yield { fields: undefined, line, lastLine: line }
    line += Math.min(1, lost)
    held = []
    for (const one of again) yield* take(one)
    if (thenTooLong && lost > 1) yield* take(undefined)
  }
  for await (const next of lines) yield* take(next)
  while (held.length > 0) yield* giveUp(false)
}

/** A record as one line, or more where a field has line ends. */
export function csvLine(fields: readonly string[]): string {
  return fields
    .map((field) => (/[",\r\n]|^\s|\s$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',')
}

/** A quoted field goes on: the number of quotes is odd. */
function isOpen(text: string): boolean {
  let open = false
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) open = !open
  return open
}

function fieldsOf(text: string): string[] | undefined {
  if (!text.includes('"')) return text.split(',')
  const fields: string[] = []
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y
  for (;;) {
    const found = field.exec(text)
    if (found === null) return undefined
    const [, quoted, plain, end] = found
    fields.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'))
    if (end === '') return fields
  }
}
