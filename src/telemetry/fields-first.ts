// Rooms that speak pino's order (fields, message) get a log that turns it round.
import type { LogFields } from './log-fields.ts'
import type { Log } from './log.ts'

export function fieldsFirst(log: Log) {
  const turn = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: object, message: string) =>
    log[level](message, fields as LogFields)
  return { debug: turn('debug'), info: turn('info'), warn: turn('warn'), error: turn('error') }
}
