// The settings: one table, one parser. Every problem is reported at once; an unknown BLOBWATCH_ variable is refused,
// so that a typing error cannot switch a safety setting off. Pure: the environment and the files come in as parameters.
import { readLedgerConfig } from './config-ledger.ts'
import type { LedgerConfig } from './config-ledger.ts'
import { readHma } from './config-hma.ts'
import type { HmaConfig } from './config-hma.ts'
import { readEvidence } from './config-evidence.ts'
import type { EvidenceConfig } from './config-evidence.ts'
import { readPlugins } from './config-plugins.ts'
import { reader, readSettings, strangers } from './config-read.ts'
import type { Reader } from './config-read.ts'
import { modes } from './domain/bank.ts'
import type { Mode } from './domain/bank.ts'
import { UsageError } from './domain/errors.ts'

export type Config = {
  mode: Mode
  dataDir: string
  databaseUrl: string | undefined
  databaseOwnerUrl: string | undefined
  pds: { url: string; address: string; adminPassword: string | undefined } | undefined
  firehose: { url: string; host: string; start: 'oldest' | 'live' } | undefined
  plcUrl: string
  webhookSecrets: string[]
  labeler: { did: string; keyHex: string } | undefined
  publicUrl: string | undefined
  publicListener: { host: string; port: number }
  privateListener: { host: string; port: number }
  apiRequestsPerSecond: number
  hma: HmaConfig
  limits: {
    takedownsPerDay: number
    labelsPerDay: number
    actionsPerContent: number
    floodBlobs: number
    floodAccounts: number
    floodFactor: number
  }
  admission: {
    secondPersonAccounts: number
    importAddsPercent: number
    importDeletesPercent: number
  }
  indexLayout: 'auto' | 'memory' | 'file'
  keepDays: number
  blobRowsMax: number
  blobBytesMax: number
  pdsRequestsPerSecond: number
  scanSlots: number
  decoderSlots: number
  diskFreeBytesMin: number
  evidence: EvidenceConfig | undefined
  /** Paths of manifests. */
  plugins: string[]
  exchangeMinutes: number
  dataKeyHex: string | undefined
  backupRecipients: string[]
  logName: string | undefined
  ledger: LedgerConfig
  appealContact: string | undefined
  principal: string | undefined
  crashPoint: string | undefined
  logLevel: string
  hmaApiUrl: string | undefined
}

/** Throws UsageError that lists every problem, one a line. `readFile` throws for what cannot be read. */
export function parseConfig(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
): Config {
  const problems = strangers(env)
  const values = readSettings(env, readFile, problems)
  const read = reader(values, problems)
  const config = readConfig(read, problems)
  if (
    (read.text('BLOBWATCH_LABELER_DID') === undefined) !==
    (read.text('BLOBWATCH_LABELER_KEY') === undefined)
  ) {
    problems.push(
      'BLOBWATCH_LABELER_DID and BLOBWATCH_LABELER_KEY belong together: set both or none',
    )
  }
  config.evidence = readEvidence(read, problems)
  for (const problem of contradictions(config)) problems.push(problem)
  if (problems.length > 0) throw new UsageError(problems.join('\n'))
  return config
}

function readConfig(read: Reader, problems: string[]): Config {
  const pdsUrl = read.origin('BLOBWATCH_PDS_URL', ['https:', 'http:'])
  const pdsAddress = read.origin('BLOBWATCH_PDS_ADDRESS', ['https:', 'http:']) ?? pdsUrl
  const firehoseUrl = read.text('BLOBWATCH_FIREHOSE_URL')
  const firehose =
    firehoseUrl === 'off'
      ? undefined
      : (read.origin('BLOBWATCH_FIREHOSE_URL', ['wss:', 'ws:', 'https:', 'http:']) ?? pdsAddress)
  const labelerDid = read.text('BLOBWATCH_LABELER_DID')
  const labelerKey = read.text('BLOBWATCH_LABELER_KEY')
  return {
    mode: read.oneOf('BLOBWATCH_MODE', modes),
    dataDir: read.required('BLOBWATCH_DATA_DIR'),
    databaseUrl: read.text('BLOBWATCH_DATABASE_URL'),
    databaseOwnerUrl: read.text('BLOBWATCH_DATABASE_OWNER_URL'),
    pds:
      pdsUrl === undefined
        ? undefined
        : {
            url: pdsUrl,
            address: pdsAddress ?? pdsUrl,
            adminPassword: read.text('BLOBWATCH_PDS_ADMIN_PASSWORD'),
          },
    firehose:
      firehose === undefined
        ? undefined
        : {
            url: firehose.replace(/^http/, 'ws'),
            host: (firehoseUrl === undefined ? (pdsUrl ?? firehose) : firehose).replace(
              /^ws/,
              'http',
            ),
            start: read.oneOf('BLOBWATCH_FIREHOSE_START', ['oldest', 'live'] as const),
          },
    plcUrl: read.origin('BLOBWATCH_PLC_URL', ['https:', 'http:']) ?? 'https://plc.directory',
    webhookSecrets: (read.text('BLOBWATCH_WEBHOOK_SECRET') ?? '').split(',').filter(Boolean),
    labeler:
      labelerDid === undefined || labelerKey === undefined
        ? undefined
        : { did: labelerDid, keyHex: labelerKey },
    publicUrl: read.origin('BLOBWATCH_PUBLIC_URL', ['https:', 'http:']),
    publicListener: {
      host: read.required('BLOBWATCH_PUBLIC_HOST'),
      port: read.integer('BLOBWATCH_PUBLIC_PORT', 0, 65_535),
    },
    privateListener: {
      host: read.required('BLOBWATCH_PRIVATE_HOST'),
      port: read.integer('BLOBWATCH_PRIVATE_PORT', 0, 65_535),
    },
    apiRequestsPerSecond: read.integer('BLOBWATCH_API_REQUESTS_PER_SECOND', 1, 1_000_000),
    hma: readHma(read, problems),
    limits: {
      takedownsPerDay: read.integer('BLOBWATCH_TAKEDOWNS_PER_DAY', 0, 1_000_000),
      labelsPerDay: read.integer('BLOBWATCH_LABELS_PER_DAY', 0, 1_000_000),
      actionsPerContent: read.integer('BLOBWATCH_ACTIONS_PER_CONTENT', 0, 1_000_000),
      floodBlobs: read.integer('BLOBWATCH_FLOOD_BLOBS', 1, 1_000_000),
      floodAccounts: read.integer('BLOBWATCH_FLOOD_ACCOUNTS', 1, 1_000_000),
      floodFactor: read.integer('BLOBWATCH_FLOOD_FACTOR', 1, 1_000),
    },
    admission: {
      secondPersonAccounts: read.integer('BLOBWATCH_SECOND_PERSON_ACCOUNTS', 1, 1_000_000_000),
      importAddsPercent: read.integer('BLOBWATCH_IMPORT_ADDS_PERCENT', 1, 1000),
      importDeletesPercent: read.integer('BLOBWATCH_IMPORT_DELETES_PERCENT', 1, 100),
    },
    indexLayout: read.oneOf('BLOBWATCH_INDEX', ['auto', 'memory', 'file'] as const),
    keepDays: read.integer('BLOBWATCH_KEEP_DAYS', 1, 3650),
    blobRowsMax: read.integer('BLOBWATCH_BLOB_ROWS_MAX', 1000, 10_000_000_000),
    pdsRequestsPerSecond: read.integer('BLOBWATCH_PDS_REQUESTS_PER_SECOND', 1, 10_000),
    blobBytesMax: read.integer('BLOBWATCH_BLOB_BYTES_MAX', 1_000, 1_000_000_000),
    scanSlots: read.integer('BLOBWATCH_SCAN_SLOTS', 1, 256),
    decoderSlots: read.integer('BLOBWATCH_DECODER_SLOTS', 1, 64),
    diskFreeBytesMin: read.integer('BLOBWATCH_DISK_FREE_MB_MIN', 0, 100_000_000) * 1024 * 1024,
    // Of many settings together: read after the others.
    evidence: undefined,
    plugins: readPlugins(read, problems),
    exchangeMinutes: read.integer('BLOBWATCH_EXCHANGE_MINUTES', 1, 1440),
    dataKeyHex: read.text('BLOBWATCH_DATA_KEY'),
    backupRecipients: (read.text('BLOBWATCH_BACKUP_RECIPIENTS') ?? '')
      .split(',')
      .map((recipient) => recipient.trim())
      .filter(Boolean),
    logName: read.text('BLOBWATCH_LOG_NAME'),
    ledger: readLedgerConfig(read, problems),
    appealContact: read.text('BLOBWATCH_APPEAL_CONTACT'),
    principal: read.text('BLOBWATCH_PRINCIPAL'),
    crashPoint: read.text('BLOBWATCH_CRASH_POINT'),
    logLevel: read.required('LOG_LEVEL'),
    hmaApiUrl: read.text('HMA_API_URL'),
  }
}

function contradictions(config: Config): string[] {
  const problems: string[] = []
  if (config.webhookSecrets.length > 2) {
    problems.push('BLOBWATCH_WEBHOOK_SECRET has two secrets at most')
  }
  if (config.webhookSecrets.some((secret) => !/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/.test(secret))) {
    problems.push('BLOBWATCH_WEBHOOK_SECRET is whsec_ and 24 to 64 bytes in base64')
  }
  if (
    config.labeler !== undefined &&
    !/^did:(plc:[a-z2-7]{24}|web:[A-Za-z0-9.:%-]+)$/.test(config.labeler.did)
  ) {
    problems.push('BLOBWATCH_LABELER_DID is a did:plc or a did:web')
  }
  if (config.labeler !== undefined && !/^[0-9a-f]{64}$/i.test(config.labeler.keyHex)) {
    problems.push('BLOBWATCH_LABELER_KEY is 64 hex digits')
  }
  if (config.labeler?.did.startsWith('did:web:') === true && config.publicUrl === undefined) {
    problems.push(
      'BLOBWATCH_PUBLIC_URL is needed for a did:web labeler: its did.json is served there',
    )
  }
  if (config.dataKeyHex !== undefined && !/^[0-9a-f]{64}$/i.test(config.dataKeyHex)) {
    problems.push('BLOBWATCH_DATA_KEY is 64 hex digits')
  }
  if (config.backupRecipients.some((recipient) => !/^age1[a-z0-9]{20,4000}$/.test(recipient))) {
    problems.push('BLOBWATCH_BACKUP_RECIPIENTS is a list of age recipients: age1…,age1…')
  }
  if (config.databaseOwnerUrl !== undefined && config.databaseUrl === undefined) {
    problems.push('BLOBWATCH_DATABASE_OWNER_URL needs DATABASE_URL')
  }
  return problems
}
