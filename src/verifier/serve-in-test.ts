// A process that runs verifier/verify.mjs, the file as it is handed out, for many bundles: reads a JSON array of
// arguments a line from stdin and answers each with the file's exit code and what it printed, a line of JSON each.
// The file is evaluated anew for each, as `node verify.mjs …` would, without the start of a process.
import { createInterface } from 'node:readline'

const verifier = new URL('../../verifier/verify.mjs', import.meta.url).href
const write = process.stdout.write.bind(process.stdout)
const [node = '', self = ''] = process.argv

let runs = 0
for await (const line of createInterface({ input: process.stdin })) {
  process.argv = [node, self, ...(JSON.parse(line) as string[]), '--json']
  let out = ''
  process.stdout.write = (text: string | Uint8Array) => {
    out += String(text)
    return true
  }
  process.stderr.write = () => true
  let crash: string | undefined
  try {
    await import(`${verifier}?run=${(runs += 1)}`)
  } catch (error) {
    crash = error instanceof Error ? error.message : String(error)
  }
  write(`${JSON.stringify({ exit: crash === undefined ? process.exitCode : crash, out })}\n`)
}
process.exitCode = 0
