// Counts tests and prints the closing lines of a run. Its last line is always `N passed, N failed, N skipped`.
import { relative } from 'node:path'
import type { EventData } from 'node:test'
import { errorMessage } from '../domain/errors.ts'

export type Tally = {
  pass: (event: EventData.TestPass) => void
  fail: (event: EventData.TestFail) => void
  report: (facts: { seconds: string; files: number }) => string
  isGreen: () => boolean
}

const MESSAGE_CHARS_MAX = 400

export function createTally(root: string): Tally {
  let passed = 0
  const failures: string[] = []
  const skips: string[] = []
  return {
    pass: (event) => {
      if (event.details.type === 'suite' || isFile(event)) return
      const reason = event.skip ?? event.todo
      if (reason === undefined || reason === false) passed++
      else skips.push(`${label(event, root)}${typeof reason === 'string' ? `: ${reason}` : ''}`)
    },
    fail: (event) => {
      // A suite fails with its tests; those are counted. A file fails by itself when it cannot be loaded.
      if (causeCode(event) === 'ERR_TEST_FAILURE_SUBTESTS') return
      failures.push(`${label(event, root)}: ${failureText(event)}`)
    },
    report: ({ seconds, files }) =>
      [
        '',
        ...failures.map((text) => `FAILED   ${text}`),
        ...skips.map((text) => `skipped  ${text}`),
        `${files} files in ${seconds} s`,
        `${passed} passed, ${failures.length} failed, ${skips.length} skipped`,
      ].join('\n'),
    isGreen: () => failures.length === 0 && passed > 0,
  }
}

/** Node reports a file without tests as a test of the file's name. */
function isFile(event: EventData.TestPass | EventData.TestFail): boolean {
  return event.nesting === 0 && event.file !== undefined && event.name === event.file
}

function label(event: EventData.TestPass | EventData.TestFail, root: string): string {
  const file = event.file === undefined ? '' : `${relative(root, event.file)} `
  return isFile(event) ? file.trim() : `${file}> ${event.name}`
}

function causeCode(event: EventData.TestFail): string {
  const { failureType } = event.details.error as { failureType?: string }
  return failureType === 'subtestsFailed' ? 'ERR_TEST_FAILURE_SUBTESTS' : ''
}

function failureText(event: EventData.TestFail): string {
  const { cause, message } = event.details.error
  const text = cause === undefined ? message : errorMessage(cause)
  return text.replace(/\s+/g, ' ').slice(0, MESSAGE_CHARS_MAX)
}
