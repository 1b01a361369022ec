// A question on the terminal. Never where nobody sits: the caller says what to type instead.
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import type { Io } from './io.ts'

const terminal = '/dev/tty'

/** undefined: there is no terminal, or it was closed. stdin may be a file and is left alone. */
export async function askPerson(io: Io, question: string): Promise<string | undefined> {
  if (!io.isTerminal) return undefined
  io.err(question)
  const input = createReadStream(terminal)
  const lines = createInterface({ input })
  try {
    for await (const line of lines) return line.trim()
    return undefined
  } catch {
    return undefined
  } finally {
    lines.close()
    input.destroy()
  }
}
