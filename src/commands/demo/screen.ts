// What the demo shows while it runs: lines that stay, and on a terminal one last line that says what it waits for.
import type { DemoOptions } from '../demo.ts'
import type { Io } from '../io.ts'

export type Screen = {
  /** A line, or several, that stay. */
  say(text: string): void
  /** What is going on now; shown on a terminal only. */
  live(text: string): void
  /** Takes the last line away. */
  quiet(): void
}

const REWRITE_MS = 250
export const COLUMNS_MAX = 80

export function createScreen(io: Io, options: DemoOptions): Screen {
  // Under --json stdout is for the document alone.
  const print = options.json === true ? io.err : io.out
  // Io has whole lines; the line that is rewritten needs the stream itself.
  const { stderr } = process
  const isLive = stderr.isTTY && (options.json === true || io.isTerminal)
  const columns = Math.min(io.columns, COLUMNS_MAX)
  let doing: { text: string; sinceMs: number } | undefined
  let timer: NodeJS.Timeout | undefined

  const draw = () => {
    if (doing === undefined) return
    const seconds = `${Math.floor((performance.now() - doing.sinceMs) / 1000)} s`
    stderr.write(`\r\u001B[2K${doing.text.slice(0, columns - 10)} (${seconds})`)
  }
  const quiet = () => {
    clearInterval(timer)
    timer = undefined
    if (doing !== undefined) stderr.write('\r\u001B[2K')
    doing = undefined
  }
  return {
    say(text) {
      const before = doing?.text
      quiet()
      print(text)
      if (before !== undefined) this.live(before)
    },
    live(text) {
      if (!isLive) return
      doing = { text, sinceMs: performance.now() }
      timer ??= setInterval(draw, REWRITE_MS).unref()
      draw()
    },
    quiet,
  }
}

/** Breaks at spaces; a word that is longer than a line stays whole, so that an address can be copied. */
export function wrap(text: string, indent: number): string {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const line = lines.at(-1)
    if (line !== undefined && indent + line.length + 1 + word.length < COLUMNS_MAX)
      lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.join(`\n${' '.repeat(indent)}`)
}
