// A stream of bytes as lines of text. Pure.

/** Lines without their line feeds; undefined for one of more than `charsMax`. A byte order mark is left out. */
export async function* linesOf(
  chunks: AsyncIterable<Uint8Array>,
  charsMax: number,
): AsyncGenerator<string | undefined> {
  const decoder = new TextDecoder()
  let rest = ''
  let tooLong = false
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      yield tooLong || line.length > charsMax ? undefined : line
      tooLong = false
    }
    if (rest.length > charsMax) {
      tooLong = true
      rest = ''
    }
  }
  rest += decoder.decode()
  if (tooLong || rest !== '') yield tooLong ? undefined : rest
}
