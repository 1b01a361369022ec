// The entry of verify.mjs: the only file of the verifier that touches the process.
import { randomInt } from 'node:crypto'
import { runCli } from './cli.ts'

process.exitCode = await runCli(process.argv.slice(2), {
  out: (text) => void process.stdout.write(`${text}\n`),
  err: (text) => void process.stderr.write(`${text}\n`),
  nowMs: Date.now(),
  seed: randomInt(2 ** 32),
})
