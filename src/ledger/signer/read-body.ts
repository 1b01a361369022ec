// The body of one request or answer of Node's own http, up to a number of bytes.
import type { IncomingMessage } from 'node:http'

/** undefined: there was more than that; the rest is not read. Rejects when the other side goes away. */
export async function readBody(
  message: IncomingMessage,
  bytesMax: number,
): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > bytesMax) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
