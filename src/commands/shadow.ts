// shadow: between HMA's clients and an old HMA, to see where our answers differ before anybody depends on them.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import { startShadow } from '../api/hma/shadow/proxy.ts'
import type { Counters } from '../api/hma/shadow/proxy.ts'
import { UsageError } from '../domain/errors.ts'
import { withExamples } from './examples.ts'
import type { Io } from './io.ts'
import { parseWhole } from './parse.ts'

type ShadowOptions = {
  upstream: string
  ours: string
  oursKey?: string
  oursKeyFile?: string
  listen: string
}

export const tellEveryMs = 60_000

export function addShadow(program: Command, io: Io): void {
  withExamples(
    program
      .command('shadow')
      .description(
        "stand between HMA's clients and an old HMA: its answers go back unchanged, ours is asked the same, and each difference is a JSON line",
      )
      .requiredOption('--upstream <URL>', 'the old HMA; it alone gets what changes something')
      .option('--ours <URL>', 'the Blobwatch that is asked too', 'http://127.0.0.1:5100')
      .option('--ours-key-file <FILE>', 'file with its key, where it asks for one')
      .option(
        '--ours-key <KEY>',
        'the key itself: whoever may list the processes of this machine sees it; better a file',
      )
      .option('--listen <HOST:PORT>', 'where clients come', '127.0.0.1:5101')
      .action((options: ShadowOptions) => run(io, options)),
    [
      'shadow --upstream http://hma.internal:5100',
      'shadow --upstream http://10.0.0.5:5100 --listen 0.0.0.0:5101 > differences.jsonl',
      'shadow --upstream http://10.0.0.5:5100 --ours http://127.0.0.1:2596 --ours-key-file shadow.key',
    ],
  )
}

async function run(io: Io, options: ShadowOptions): Promise<void> {
  const place = /^(.+):(\d+)$/.exec(options.listen)
  if (place === null) throw new UsageError('--listen is an address and a port: 127.0.0.1:5101')
  const [, host = '', port = ''] = place
  const shadow = await startShadow({
    host: host.replace(/^\[(.*)\]$/, '$1'),
    port: parseWhole(port, 'the port of --listen', { min: 0, max: 65_535 }),
    upstream: parseUrl(options.upstream, '--upstream'),
    ours: parseUrl(options.ours, '--ours'),
    oursKey: readKey(io, options),
    onLine: (line) => io.out(JSON.stringify(line)),
    clock: Date.now,
  })
  io.err(`listening on ${shadow.url}; ends with Ctrl-C`)
  while (!io.stop.aborted) {
    await sleep(tellEveryMs, undefined, { signal: io.stop }).catch(() => undefined)
    if (!io.stop.aborted) io.err(summary(shadow.counters()))
  }
  // First the door: clients that keep coming would keep it open.
  await shadow[Symbol.asyncDispose]()
  await shadow.idle()
  io.err(summary(shadow.counters()))
}

function summary(counters: Counters): string {
  const reasons = Object.entries(counters.different).map(([reason, count]) => `${reason} ${count}`)
  const different = reasons.length === 0 ? 'none' : reasons.join(', ')
  return `${counters.calls} calls, ${counters.same} the same, different: ${different}; left out ${counters.leftOut}, no answer from ours ${counters.oursFailed}, from upstream ${counters.upstreamFailed}`
}

function readKey(io: Io, { oursKey, oursKeyFile }: ShadowOptions): string | undefined {
  if (oursKeyFile === undefined) return checkedKey(oursKey, '--ours-key')
  if (oursKey !== undefined) throw new UsageError('--ours-key or --ours-key-file, not both')
  let text: string
  try {
    text = io.readFile(oursKeyFile)
  } catch (cause) {
    throw new UsageError('the file of --ours-key-file cannot be read', { cause })
  }
  return checkedKey(text.trim(), '--ours-key-file')
}

/** What a header cannot carry would fail with each comparison. */
function checkedKey(key: string | undefined, option: string): string | undefined {
  if (key !== undefined && !/^[\x21-\x7e]+$/.test(key))
    throw new UsageError(`${option} holds no key: mk_…, as key create prints it`)
  return key
}

function parseUrl(text: string, option: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== '' || url.search !== '')
    throw new UsageError(`${option} is an http or https URL`)
  return url
}
