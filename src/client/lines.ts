// Streams of bytes as lines, as JSON values (NDJSON) and as server-sent events.
import { ConnectionError } from './errors.ts'
import { objectIn, parseJson } from './exchange.ts'

/** No line of ours is longer, and no event. */
const lineCharsMax = 1024 * 1024

/** Without their ends, which are \n or \r\n. A last line without an end counts where `ended` says nothing else. */
async function* linesOf(name: string, bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = parts.pop() ?? ''
    if (rest.length > lineCharsMax) throw new ConnectionError(name, 'bad-answer')
    for (const line of parts) yield line.endsWith('\r') ? line.slice(0, -1) : line
  }
  rest += decoder.decode()
  if (rest !== '') yield rest
}

/** Throws ConnectionError (bad-answer) at a line that is no object in JSON. */
export async function* jsonLines<T>(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<T> {
  for await (const line of linesOf(name, bytes)) {
    if (line.trim() !== '') yield objectIn({ name }, parseJson({ name }, line)) as T
  }
}

/** `data` undefined: only the position moved. */
export type ServerEvent = {
  id: string | undefined
  event: string
  data: string | undefined
}

/** Server-sent events (WHATWG HTML 9.2.6): an event counts once its empty line has come. */
export async function* serverEvents(
  name: string,
  bytes: AsyncIterable<Uint8Array>,
): AsyncGenerator<ServerEvent> {
  let id: string | undefined
  let idBefore: string | undefined
  let event = 'message'
  let data: string[] = []
  let chars = 0
  for await (const line of linesOf(name, bytes)) {
    if (line === '') {
      if (data.length > 0) yield { id, event, data: data.join('\n') }
      else if (id !== idBefore) yield { id, event, data: undefined }
      idBefore = id
      event = 'message'
      data = []
      chars = 0
      continue
    }
    const colon = line.indexOf(':')
    // A comment, which keeps the connection alive.
    if (colon === 0) continue
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'id') id = value
    else if (field === 'event') event = value
    else if (field === 'data') {
      chars += value.length + 1
      if (chars > lineCharsMax) throw new ConnectionError(name, 'bad-answer')
      data.push(value)
    }
  }
}
