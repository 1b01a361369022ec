// What a command knows of the process it runs in. Tests hand in their own.
export type Io = {
  env: Readonly<Record<string, string | undefined>>
  /** Throws when the file cannot be read. */
  readFile: (path: string) => string
  /** One line or more to stdout: results. */
  out: (text: string) => void
  /** To stderr: everything else. */
  err: (text: string) => void
  isTerminal: boolean
  columns: number
  /** Aborts at SIGINT and SIGTERM. */
  stop: AbortSignal
  setExitCode: (code: number) => void
  /** Ends the process now, whatever it waits for. */
  exit: (code: number) => void
}
