// The pipe between decoder and child: a length of four bytes, big end first, then that many bytes. The child reads and
// writes synchronously: it has nothing else to do, and a parent that is gone shows at once as an end or a broken pipe.
import { readSync, writeSync } from 'node:fs'

/** More than any answer needs: one with all 31 variants has about 4000. A child that sends more is not our child any more. */
export const answerBytesMax = 8192

export function frameHeader(length: number): Buffer {
  const header = Buffer.alloc(4)
  header.writeUInt32BE(length)
  return header
}

/** The next frame's bytes; undefined when the other side has closed the pipe. */
export function readFrameSync(fd: number): Buffer | undefined {
  const header = readExactlySync(fd, 4)
  return header === undefined ? undefined : readExactlySync(fd, header.readUInt32BE())
}

export function writeFrameSync(fd: number, bytes: Buffer): void {
  const frame = Buffer.concat([frameHeader(bytes.length), bytes])
  for (let sent = 0; sent < frame.length;) sent += writeSync(fd, frame, sent)
}

function readExactlySync(fd: number, length: number): Buffer | undefined {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let got = 0; got < length;) {
    const count = readSync(fd, bytes, got, length - got, null)
    if (count === 0) return undefined
    got += count
  }
  return bytes
}

/** Collects one answer frame from chunks as they come. `broken`: longer than allowed, or bytes after the frame. */
export class AnswerReader {
  #bytes = Buffer.alloc(0)

  push(chunk: Buffer): { kind: 'more' } | { kind: 'frame'; bytes: Buffer } | { kind: 'broken' } {
    if (this.#bytes.length + chunk.length > answerBytesMax + 4) return { kind: 'broken' }
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    if (this.#bytes.length < 4) return { kind: 'more' }
    const end = 4 + this.#bytes.readUInt32BE()
    if (end > answerBytesMax + 4 || this.#bytes.length > end) return { kind: 'broken' }
    if (this.#bytes.length < end) return { kind: 'more' }
    const frame = this.#bytes.subarray(4, end)
    this.#bytes = Buffer.alloc(0)
    return { kind: 'frame', bytes: frame }
  }
}
