// A request's body as it arrives: counted, and given up when it takes too long. What the sender declares only makes us
// refuse earlier.

export type ReadBytes =
  { kind: 'read'; bytes: Buffer } | { kind: 'too-large' } | { kind: 'incomplete' }

export async function readBytes(
  request: Request,
  limits: { bytesMax: number; ms: number },
): Promise<ReadBytes> {
  const declared = Number(request.headers.get('content-length') ?? 0)
  if (declared > limits.bytesMax) return { kind: 'too-large' }
  if (request.body === null) return { kind: 'read', bytes: Buffer.alloc(0) }
  const reader = request.body.getReader()
  const leave = () => void reader.cancel().catch(() => undefined)
  let late = false
  const timer = setTimeout(() => {
    late = true
    leave()
  }, limits.ms)
  const parts: Uint8Array[] = []
  let length = 0
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      length += value.length
      if (length > limits.bytesMax) {
        leave()
        return { kind: 'too-large' }
      }
      parts.push(value)
    }
  } catch {
    // The sender went away; nobody reads the answer.
    return { kind: 'incomplete' }
  } finally {
    clearTimeout(timer)
  }
  // A cancelled stream ends like a whole one.
  return late ? { kind: 'incomplete' } : { kind: 'read', bytes: Buffer.concat(parts, length) }
}
