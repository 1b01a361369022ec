// One plain GET to a host that the configuration names: no redirect, little patience, few bytes.
import { checkLimits } from './check.ts'

const answerBytesMax = 256 * 1024

export type Answer =
  | { kind: 'answered'; status: number; date: string | null; body: unknown }
  | { kind: 'silent'; why: string }

/** Never throws for what the other side does. `body` is parsed JSON, undefined when it is none. */
export async function ask(url: URL, signal: AbortSignal): Promise<Answer> {
  try {
    const limit = AbortSignal.timeout(checkLimits.networkMs)
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { accept: 'application/json' },
      signal: AbortSignal.any([signal, limit]),
    })
    const body = parse(await readText(response))
    return { kind: 'answered', status: response.status, date: response.headers.get('date'), body }
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    return { kind: 'silent', why: code === '' ? 'no answer' : code }
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let bytes = 0
  for await (const chunk of response.body ?? []) {
    bytes += chunk.byteLength
    if (bytes > answerBytesMax) break
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
