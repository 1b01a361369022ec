// The service as a process: from settings to a signal.
import { parseConfig } from '../config.ts'
import { UsageError } from '../domain/errors.ts'
import { readExchanges } from '../exchanges/exchange-store.ts'
import { build } from '../service.ts'
import { createLog, parseLogLevel } from '../telemetry/log.ts'
import { armFromSetting } from './crash-setting.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { isPackage } from './typed-as.ts'
import { startScreen } from './start-screen.ts'

/** The promise is ten seconds. */
const stopMs = 9_500

export async function serve(io: Io): Promise<void> {
  const config = parseConfig(io.env, io.readFile)
  const isAsked = config.hma.listener !== undefined
  if (config.firehose === undefined && config.webhookSecrets.length === 0 && !isAsked) {
    throw new UsageError(
      [
        'nothing to watch: switch on at least one of',
        '  BLOBWATCH_PDS_URL=https://pds.example.com         follow the firehose of your PDS',
        '  BLOBWATCH_FIREHOSE_URL=wss://relay.example.com    follow a relay',
        '  BLOBWATCH_WEBHOOK_SECRET=whsec_…                  be told of uploads by webhook',
        "  BLOBWATCH_HMA_PORT=5100                           answer HMA's clients",
        isPackage
          ? '.env.example of the package lists every setting.'
          : 'npm run demo shows all of it without any setting; .env.example lists every setting.',
      ].join('\n'),
    )
  }
  armFromSetting(config.crashPoint)
  const log = createLog({ level: parseLogLevel(config.logLevel) })
  await using service = await build(config, { log })
  const urls = await service.start()
  const { parts } = service
  const exchanges = await readExchanges(parts.db, { nowMs: parts.clock() })
  io.err(startScreen({ config, parts, urls, exchanges }))
  try {
    await Promise.race([stopped(io.stop), service.failed])
    log.info('stopping', { outcome: 'stopping' })
  } finally {
    // Whatever does not answer, a database that is stopped for example, is not waited for: a kill would lose nothing either.
    setTimeout(() => {
      log.error('what was under way did not end in time: the next start takes it up')
      io.exit(exitCodes.tryLater)
    }, stopMs).unref()
  }
}

async function stopped(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) =>
    signal.addEventListener('abort', () => resolve(), { once: true }),
  )
}
