// checkpoints.jsonl and anchors.jsonl, read in step with the entries: both are in order of size.
import { fromBase64 } from '../ledger/bytes.ts'
import type { Anchor, HeadChecks, RootAt } from './check-heads.ts'
import { queueLines, readJsonLines } from './bundle-files.ts'
import type { BundleFiles, Line, LineQueue } from './bundle-files.ts'
import type { Findings } from './findings.ts'

export type HeadLines = {
  /** The sizes up to `size` for which lines wait. They are kept until they are checked. */
  sizesUpTo(size: number): Promise<number[]>
  /** Checks what waits for this size. */
  check(size: number, root: RootAt): void
  /** Checks what is larger than the log, and how many lines there were. */
  end(expected: { checkpoints: number; anchors: number }, root: RootAt): Promise<void>
}

type Waiting = {
  notes: { line: number; note: string }[]
  anchors: { line: number; anchor: Anchor }[]
}

export async function createHeadLines(options: {
  files: BundleFiles
  findings: Findings
  heads: HeadChecks
}): Promise<HeadLines> {
  const { files, findings, heads } = options
  const waiting = new Map<number, Waiting>()
  const at = (size: number) => {
    const known = waiting.get(size) ?? { notes: [], anchors: [] }
    waiting.set(size, known)
    return known
  }
  const checkpoints = await openLines({
    path: 'checkpoints.jsonl',
    files,
    findings,
    take(size, line, value) {
      if (typeof value['note'] !== 'string') return false
      at(size).notes.push({ line, note: value['note'] })
      return true
    },
  })
  const anchors = await openLines({
    path: 'anchors.jsonl',
    files,
    findings,
    take(size, line, value) {
      const { origin, kind, who, body, at: when } = value
      const bytes = typeof body === 'string' ? fromBase64(body) : undefined
      if (bytes === undefined || ![origin, kind, who, when].every((one) => typeof one === 'string'))
        return false
      const anchor = { origin, kind, who, body: bytes, size } as Anchor
      at(size).anchors.push({ line, anchor })
      return true
    },
  })

  const check = (size: number, root: RootAt) => {
    const { notes, anchors } = waiting.get(size) ?? { notes: [], anchors: [] }
    waiting.delete(size)
    for (const { line, note } of notes) {
      const where = `checkpoints.jsonl line ${line}`
      const signed = heads.checkpoint(where, note, root)
      if (signed !== undefined && signed.checkpoint.size !== size)
        findings.tampered(
          where,
          `the line says ${size} entries, its note ${signed.checkpoint.size}`,
        )
    }
    const texts = notes.map(({ note }) => note)
    for (const { line, anchor } of anchors) heads.anchor({ line }, anchor, texts, root)
  }
  return {
    async sizesUpTo(size) {
      await checkpoints.readTo(size)
      await anchors.readTo(size)
      return [...waiting.keys()].toSorted((a, b) => a - b)
    },
    check,
    async end(expected, root) {
      for (;;) {
        const next = Math.min(await checkpoints.next(), await anchors.next())
        if (next === Infinity) break
        await checkpoints.readTo(next)
        await anchors.readTo(next)
        for (const size of waiting.keys()) check(size, root)
      }
      checkpoints.expect(expected.checkpoints)
      anchors.expect(expected.anchors)
    },
  }
}

async function openLines(options: {
  path: string
  files: BundleFiles
  findings: Findings
  /** False: it is none. */
  take(size: number, line: number, value: Record<string, unknown>): boolean
}) {
  const { path, findings } = options
  const parts = await options.files.parts(path)
  const queue: LineQueue = queueLines(parts && readJsonLines(parts))
  let [count, last] = [0, 0]
  const sizeOf = (line: Line): number => {
    const size = 'value' in line ? line.value['size'] : undefined
    // What has no size is told at once.
    return Number.isSafeInteger(size) && (size as number) >= last ? (size as number) : last
  }
  return {
    async next() {
      const line = await queue.peek()
      return line === undefined ? Infinity : sizeOf(line)
    },
    async readTo(size: number) {
      for (;;) {
        const line = await queue.peek()
        if (line === undefined || sizeOf(line) > size) return
        await queue.take()
        count += 1
        const where = `${path} line ${line.number}`
        if ('problem' in line) findings.tampered(where, line.problem)
        else if (line.value['size'] !== sizeOf(line))
          findings.tampered(where, 'it has no size, or a smaller one than the line before')
        else if (!options.take(sizeOf(line), line.number, line.value))
          findings.tampered(where, 'it lacks a field, or has one of another kind')
        last = sizeOf(line)
      }
    },
    expect(expected: number) {
      if (parts === undefined && expected > 0) findings.incomplete(path, 'the file is missing')
      else if (count < expected)
        findings.incomplete(path, `there are ${count} lines, bundle.json says ${expected}`)
    },
  }
}
