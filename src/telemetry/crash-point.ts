// Named places where a test kills the process (STYLE 26). Inert unless `armCrashPoint` was called, which only
// main.ts does, and only from configuration that says so: no environment is read here.
// SIGKILL and not an exception: nothing may run afterwards, as when the power goes.

/** Every durable step has a place before it (nothing is done yet) and after it (done, but nobody knows). */
export const crashPoints = [
  'take-in:before',
  'take-in:after',
  'claim:after',
  'settle:before',
  'settle:after',
  'append:before',
  'append:after',
  'account-keys:before',
  'account-keys:after',
  'key-set:before',
  'key-set:moved',
  'key-set:resealed',
  'send:before',
  'send:after',
  'finish:before',
  'finish:after',
  'withdraw:before',
  'withdraw:after',
  'import-stage:after',
  'import-apply:before',
  'import-apply:after',
  'import-hma:before',
  'import-hma:after',
  'exchange-page:before',
  'exchange-page:after',
  'keep-head:before',
  'keep-head:after',
  'checkpoint:signed',
  'erase:before',
  'erase:after',
  'evidence:planned',
  'evidence:stored',
  'evidence:removed',
  'note:after',
] as const
export type CrashPoint = (typeof crashPoints)[number]

let armed: { name: CrashPoint; countdown: number } | undefined

/** The process dies when it passes `name` for the `countdown`th time (1: the first). One point at a time. */
export function armCrashPoint(name: CrashPoint, countdown: number): void {
  armed = { name, countdown }
}

export function isCrashPoint(text: string): text is CrashPoint {
  return (crashPoints as readonly string[]).includes(text)
}

export function crashPoint(name: CrashPoint): void {
  if (armed === undefined || armed.name !== name) return
  armed.countdown -= 1
  if (armed.countdown <= 0) process.kill(process.pid, 'SIGKILL')
}
