// The caller of api-match.ts, in a thread of its own: sends lines as fast as they are taken and counts what comes back.
import { randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const { url, lines } = workerData as { url: string; lines: number }
const linesPerWrite = 500
const newLine = 10

const sent = request(url, { method: 'POST' })
const startMs = performance.now()
let answers = 0
sent.on('response', (response) => {
  response.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(newLine); at >= 0; at = chunk.indexOf(newLine, at + 1)) answers += 1
  })
  response.on('end', () => parentPort?.postMessage({ answers, ms: performance.now() - startMs }))
})
let next = 0
const feed = () => {
  while (next < lines) {
    let text = ''
    const until = Math.min(lines, next + linesPerWrite)
    for (; next < until; next += 1)
      text += `{"id":${next},"hash_type":"pdq","hash_value":"${randomBytes(32).toString('hex')}"}\n`
    if (!sent.write(text)) {
      sent.once('drain', feed)
      return
    }
  }
  sent.end()
}
feed()
