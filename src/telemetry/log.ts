// Logs for machines: one JSON object a line on stdout, one line an outcome. What people read at start is printed
// elsewhere. Lines are written synchronously, so the last ones survive a crash.
// Which fields may appear, and why DIDs and CIDs may not: log-fields.ts.
import { pino } from 'pino'
import type { DestinationStream } from 'pino'
import { UsageError } from '../domain/errors.ts'
import { allowedFields } from './log-fields.ts'
import type { LogFields } from './log-fields.ts'
import { scrub } from './scrub.ts'

export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

type Write = (message: string, fields?: LogFields) => void
export type Log = {
  debug: Write
  info: Write
  warn: Write
  error: Write
  /** A log that puts `fields` on each of its lines. */
  with(fields: LogFields): Log
}

export function createLog(options: {
  level: LogLevel
  version?: string
  /** stdout unless a test wants the lines. */
  destination?: DestinationStream
  /** Of a file that is open, in place of stdout. */
  fd?: number
}): Log {
  const root = pino(
    {
      level: options.level,
      // Without pino's `hostname`: it names a machine.
      base: { name: 'blobwatch', pid: process.pid, version: options.version },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    options.destination ?? openFile(options.fd ?? 1),
  )
  return wrap((level, message, fields) => root[level](allowedFields(fields), scrub(message)))
}

/** A full disk under the log costs lines and not the service: what waits is written when there is room again. */
function openFile(fd: number): DestinationStream {
  const file = pino.destination({ dest: fd, sync: true, maxLength: waitingCharsMax })
  file.on('error', (error: NodeJS.ErrnoException) => {
    if (!noRoom.has(error.code ?? '')) throw error
  })
  return file
}

const waitingCharsMax = 1024 * 1024
const noRoom = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** The name of what happened, in one line, after it happened. */
export function logOutcome(log: Log, outcome: string, fields: LogFields = {}): void {
  log.info(outcome, { outcome, ...fields })
}

/** Our names and Python's, as HMA's operators know them (DEBUG, INFO, WARNING, ERROR), in any case. */
export function parseLogLevel(text: string): LogLevel {
  const names: Record<string, LogLevel> = {
    trace: 'debug',
    debug: 'debug',
    info: 'info',
    warn: 'warn',
    warning: 'warn',
    error: 'error',
    critical: 'error',
    fatal: 'error',
    silent: 'silent',
  }
  const level = Object.hasOwn(names, text.toLowerCase()) ? names[text.toLowerCase()] : undefined
  if (level === undefined) throw new UsageError('LOG_LEVEL is DEBUG, INFO, WARNING or ERROR')
  return level
}

type Level = 'debug' | 'info' | 'warn' | 'error'

function wrap(write: (level: Level, message: string, fields: LogFields) => void): Log {
  return {
    debug: (message, fields = {}) => write('debug', message, fields),
    info: (message, fields = {}) => write('info', message, fields),
    warn: (message, fields = {}) => write('warn', message, fields),
    error: (message, fields = {}) => write('error', message, fields),
    with: (more) => wrap((level, message, fields) => write(level, message, { ...more, ...fields })),
  }
}
