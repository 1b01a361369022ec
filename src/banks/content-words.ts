// What is kept with a content in words: its note and its metadata. Pure.
import { UsageError } from '../domain/errors.ts'

export const wordLimits = { noteChars: 2000, metadataBytes: 8192, metadataDepth: 32 } as const

/** Throws UsageError with the rule. */
export function parseNote(note: string): string {
  if (note.trim() === '' || note.length > wordLimits.noteChars || !isStorable(note)) {
    throw new UsageError(`a note has 1 to ${wordLimits.noteChars} characters`)
  }
  return note
}

/** A JSON object as text. Throws UsageError with the rule. */
export function parseMetadata(text: string): object {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UsageError('metadata is a JSON object, like {"campaign": "coins"}')
  }
  return checkMetadata(value)
}

export function checkMetadata(value: unknown): object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new UsageError('metadata is a JSON object, like {"campaign": "coins"}')
  }
  // The depth first: who goes down it by calls runs out of stack.
  if (
    !holdsStorable(value, wordLimits.metadataDepth) ||
    Buffer.byteLength(JSON.stringify(value)) > wordLimits.metadataBytes
  ) {
    throw new UsageError(
      `metadata has ${wordLimits.metadataBytes} bytes at most, ${wordLimits.metadataDepth} levels, and no U+0000`,
    )
  }
  return value
}

/** Postgres keeps no NUL and no lone surrogate. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

function holdsStorable(value: unknown, levels: number): boolean {
  if (typeof value === 'string') return isStorable(value)
  if (typeof value !== 'object' || value === null) return true
  if (levels === 0) return false
  return Object.entries(value).every(
    ([key, inner]) => isStorable(key) && holdsStorable(inner, levels - 1),
  )
}
