// The settings: one table, one parser. Every problem is reported at once; an unknown BLOBWATCH_ variable is refused,
// so that a typing error cannot switch a safety setting off. Pure: the environment and the files come in as parameters.
import { readLedgerConfig } from './config-ledger.ts'
import type { LedgerConfig } from './config-ledger.ts'
import { readHma } from './config-hma.ts'
import type { HmaConfig } from './config-hma.ts'
import { evidenceSettings, readEvidence } from './config-evidence.ts'
import { pluginSettings, readPlugins } from './config-plugins.ts'
import type { EvidenceConfig } from './config-evidence.ts'
import { modes } from './domain/bank.ts'
import type { Mode } from './domain/bank.ts'
import { UsageError } from './domain/errors.ts'

type Setting = {
  /** The value when the variable is not set; undefined: not configured. */
  fallback?: string
  /** Names from the seed documents that mean the same. */
  alias?: string
  secret?: boolean
  help: string
}

export const settings = {
  BLOBWATCH_MODE: {
    fallback: 'observe',
    help: 'What may be done at most: observe (record only), hold (a person decides), act. Banks have their own, and the lower counts.',
  },
  BLOBWATCH_DATA_DIR: {
    fallback: './data',
    help: 'Folder for the embedded Postgres and for keys that were not configured.',
  },
  BLOBWATCH_DATABASE_URL: {
    alias: 'DATABASE_URL',
    secret: true,
    help: 'Postgres 15 or newer (postgres://…). Not set: an embedded Postgres in the data folder.',
  },
  BLOBWATCH_DATABASE_OWNER_URL: {
    secret: true,
    help: 'The same database as the role that owns the schema, for migrations and partitions. Not set: the role of DATABASE_URL does both.',
  },
  BLOBWATCH_PDS_URL: {
    alias: 'AT_PROTOCOL_PDS_URL',
    help: 'Public URL of the PDS that is administered, as DID documents name it. Its firehose is followed unless BLOBWATCH_FIREHOSE_URL says otherwise.',
  },
  BLOBWATCH_PDS_ADDRESS: {
    help: 'Where that PDS is really reached (for example http://127.0.0.1:3000). Not set: its public URL. The only private address that is ever dialled.',
  },
  BLOBWATCH_PDS_ADMIN_PASSWORD: {
    secret: true,
    help: 'Admin password of that PDS. Without it nothing is taken down.',
  },
  BLOBWATCH_PDS_REQUESTS_PER_SECOND: {
    fallback: '50',
    help: 'Requests to that PDS for blobs and proofs; other hosts are asked 10 times a second. A PDS with rate limits answers 429 above 3,000 in 5 minutes, unless PDS_RATE_LIMIT_BYPASS_IPS names this machine.',
  },
  BLOBWATCH_FIREHOSE_URL: {
    help: 'Firehose to follow: a PDS or a relay (wss://…), or "off". Not set: the PDS above.',
  },
  BLOBWATCH_FIREHOSE_START: {
    fallback: 'oldest',
    help: 'Where a first start begins: oldest (what the host still has) or live.',
  },
  BLOBWATCH_PLC_URL: { fallback: 'https://plc.directory', help: 'The PLC directory.' },
  BLOBWATCH_WEBHOOK_SECRET: {
    secret: true,
    help: 'Opens the webhook door: whsec_… as Standard Webhooks has it; two with a comma between them while one replaces the other.',
  },
  BLOBWATCH_LABELER_DID: { help: 'The DID in whose name labels are signed.' },
  BLOBWATCH_LABELER_KEY: { secret: true, help: 'Its #atproto_label key: 64 hex digits (k256).' },
  BLOBWATCH_PUBLIC_URL: {
    help: 'https URL under which the public listener is reached; needed for a did:web labeler.',
  },
  BLOBWATCH_PUBLIC_HOST: {
    fallback: '127.0.0.1',
    help: 'Address of the public listener (webhook, label stream). Behind a proxy on the same machine the default is right.',
  },
  BLOBWATCH_PUBLIC_PORT: { fallback: '2595', help: 'Its port.' },
  BLOBWATCH_PRIVATE_HOST: {
    fallback: '127.0.0.1',
    help: 'Address of the private listener (health, metrics). Keep it private.',
  },
  BLOBWATCH_PRIVATE_PORT: { fallback: '2596', help: 'Its port.' },
  BLOBWATCH_API_REQUESTS_PER_SECOND: {
    fallback: '200',
    help: 'Requests a second of one API key in this process, where the key has no rate of its own; twice as many in a burst.',
  },
  BLOBWATCH_HMA_PORT: {
    help: "Port of the listener that answers Meta's HMA clients without a key; HMA itself has 5100. Not set: there is none, and HMA's paths need a key on the private listener.",
  },
  BLOBWATCH_HMA_HOST: {
    fallback: '127.0.0.1',
    help: 'Its address. Anything but loopback needs BLOBWATCH_HMA_NETWORKS.',
  },
  BLOBWATCH_HMA_SOCKET: {
    help: 'Path of a unix socket to serve the same on, instead of a port.',
  },
  BLOBWATCH_HMA_NETWORKS: {
    help: 'Networks that may use it, with commas between them (10.1.0.0/16). Not set: this machine only. A request that came through a proxy is refused.',
  },
  BLOBWATCH_HMA_WRITE: {
    fallback: 'off',
    help: 'on: its clients may change banks too, as the principal hma.',
  },
  BLOBWATCH_HMA_ROLES: {
    fallback: 'hasher,matcher,curator',
    help: "Which of HMA's roles this process answers, with commas between them.",
  },
  BLOBWATCH_TAKEDOWNS_PER_DAY: {
    fallback: '200',
    help: 'Takedowns released in any 24 hours; the rest waits.',
  },
  BLOBWATCH_LABELS_PER_DAY: {
    fallback: '2000',
    help: 'Labels released in any 24 hours; the rest waits.',
  },
  BLOBWATCH_ACTIONS_PER_CONTENT: {
    fallback: '50',
    help: 'Automatic actions that one bank content may cause in 24 hours; beyond it the content is held for a person.',
  },
  BLOBWATCH_FLOOD_BLOBS: {
    fallback: '25',
    help: 'Different blobs that one bank content may match in ten minutes, or BLOBWATCH_FLOOD_FACTOR times what is usual for it where that is more; beyond it the content is held for a person.',
  },
  BLOBWATCH_FLOOD_ACCOUNTS: {
    fallback: '50',
    help: 'The same for different accounts.',
  },
  BLOBWATCH_FLOOD_FACTOR: {
    fallback: '5',
    help: 'How many times its own usual a content may match before that is a flood.',
  },
  BLOBWATCH_SECOND_PERSON_ACCOUNTS: {
    fallback: '1000',
    help: 'A content that would match more accounts than this among what was seen goes live only when a second person approves.',
  },
  BLOBWATCH_IMPORT_ADDS_PERCENT: {
    fallback: '20',
    help: 'From the second import of a list on: new items, in percent of what the bank has, above which a second person approves.',
  },
  BLOBWATCH_IMPORT_DELETES_PERCENT: {
    fallback: '5',
    help: 'The same for items that the list no longer has.',
  },
  BLOBWATCH_INDEX: {
    fallback: 'auto',
    help: 'Where bank signals are searched: memory (fastest, about 130 bytes a hash and twice that while it is rebuilt), file (a small machine; tens of milliseconds a picture) or auto (by memory and load).',
  },
  BLOBWATCH_KEEP_DAYS: {
    fallback: '30',
    help: 'Days that a sighting without a case is kept.',
  },
  BLOBWATCH_BLOB_ROWS_MAX: {
    fallback: '50000000',
    help: 'Blobs without a sighting are dropped, oldest first, while there are more rows than this.',
  },
  BLOBWATCH_BLOB_BYTES_MAX: {
    fallback: '52428800',
    help: 'Largest blob that is fetched; a larger one is unscannable (too-large).',
  },
  BLOBWATCH_SCAN_SLOTS: { fallback: '8', help: 'Blobs worked on at once by this process.' },
  BLOBWATCH_DECODER_SLOTS: { fallback: '2', help: 'Sandboxed decoder children of this process.' },
  BLOBWATCH_DISK_FREE_MB_MIN: {
    fallback: '1024',
    help: 'Intake stops while the disk of the data folder has less than this free.',
  },
  BLOBWATCH_DATA_KEY: {
    secret: true,
    help: '64 hex digits; seals personal values in the ledger. Not set: made once and kept in the data folder. Back it up.',
  },
  BLOBWATCH_BACKUP_RECIPIENTS: {
    help: 'Who can open a backup of the keys of accounts: age recipients (age1…), with commas between them. Keep their identities offline.',
  },
  ...evidenceSettings,
  ...pluginSettings,
  BLOBWATCH_LOG_NAME: {
    help: 'Name of the ledger, for example modlog.example.com/main. Not set: from the deployment id.',
  },
  BLOBWATCH_LEDGER_SIGNER: {
    help: "Path of the socket of a signer that is its own process and user (ledger signer). Not set: checkpoints are signed in the service's process.",
  },
  BLOBWATCH_LEDGER_KEY: {
    secret: true,
    help: "The private key of the signer in the service's process: PRIVATE+KEY+… as `ledger signer keygen` makes it. Not set: made once and kept as ledger.key in the data folder.",
  },
  BLOBWATCH_LEDGER_POLICY: {
    help: 'Text of a C2SP tlog-policy: the witnesses that cosign checkpoints, their addresses, and how many are needed. Best given as a file.',
  },
  BLOBWATCH_LEDGER_RECORD_PDS_URL: {
    help: 'URL of the PDS of the account that keeps a record of the newest checkpoint, written hourly. Its password goes to no other host.',
  },
  BLOBWATCH_LEDGER_RECORD_DID: { help: 'DID or handle of that account.' },
  BLOBWATCH_LEDGER_RECORD_PASSWORD: { secret: true, help: 'An app password of that account.' },
  BLOBWATCH_LEDGER_TSA_URL: {
    help: 'Address of an RFC 3161 time-stamping authority, asked once a day about the newest checkpoint.',
  },
  BLOBWATCH_APPEAL_CONTACT: {
    help: 'How an affected account appeals, in one sentence with an address; stands in every receipt (ledger receipt).',
  },
  BLOBWATCH_PRINCIPAL: {
    help: 'Who a command acts as. Not set: the name of the person logged in on this machine.',
  },
  BLOBWATCH_CRASH_POINT: {
    help: 'For tests: NAME or NAME:COUNT; the process kills itself there.',
  },
  LOG_LEVEL: { fallback: 'INFO', help: 'DEBUG, INFO, WARNING or ERROR.' },
  HMA_API_URL: {
    help: 'Accepted from earlier set-ups. Blobwatch hashes and matches by itself; nothing is sent there.',
  },
} as const satisfies Record<string, Setting>

export type SettingName = keyof typeof settings

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

function readConfig(read: ReturnType<typeof reader>, problems: string[]): Config {
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

function strangers(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = new Set<string>(Object.keys(settings).flatMap((name) => [name, `${name}_FILE`]))
  const problems = Object.keys(env)
    .filter((name) => name.startsWith('BLOBWATCH_') && !known.has(name))
    // The test suite's own variables travel in the same environment.
    .filter((name) => !name.startsWith('BLOBWATCH_TEST_') && name !== 'BLOBWATCH_PDQ_IMAGES')
    .map((name) => `${name} is not a setting of Blobwatch${didYouMean(name)}`)
  if (env['NCMEC_API_KEY'] !== undefined) {
    problems.push(
      'NCMEC_API_KEY is set, but NCMEC gives no API keys: its hash sharing and its CyberTipline each use a user name ' +
        'and a password that NCMEC assigns to your organisation. Remove the variable; this version has no NCMEC client yet.',
    )
  }
  return problems
}

function didYouMean(name: string): string {
  const near = Object.keys(settings).find((known) => {
    const [a, b] = [known.replaceAll('_', ''), name.replaceAll('_', '')]
    return (
      a.startsWith(b) ||
      b.startsWith(a) ||
      a.split('').filter((char, i) => char !== b[i]).length <= 2
    )
  })
  return near === undefined ? '' : ` (did you mean ${near}?)`
}

function readSettings(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  problems: string[],
): Map<string, string> {
  const values = new Map<string, string>()
  for (const [name, setting] of Object.entries<Setting>(settings)) {
    const given = [name, setting.alias]
      .filter((known) => known !== undefined)
      .flatMap((known) => [
        { from: known, value: env[known] },
        { from: `${known}_FILE`, value: env[`${known}_FILE`], isFile: true },
      ])
      .filter((one) => one.value !== undefined && one.value !== '')
    const [first, second] = given
    if (first !== undefined && second !== undefined && first.value !== second.value) {
      problems.push(`${first.from} and ${second.from} are both set: set one`)
    }
    if (first?.value === undefined) {
      if (setting.fallback !== undefined) values.set(name, setting.fallback)
    } else if (!('isFile' in first)) {
      values.set(name, first.value)
    } else {
      try {
        values.set(name, readFile(first.value).trim())
      } catch {
        problems.push(`${first.from}: the file cannot be read`)
      }
    }
  }
  return values
}

function reader(values: Map<string, string>, problems: string[]) {
  const text = (name: SettingName) => values.get(name)
  return {
    text,
    required: (name: SettingName) => text(name) ?? '',
    integer(name: SettingName, min: number, max: number): number {
      const value = Number(text(name))
      if (!/^\d+$/.test(text(name) ?? '') || value < min || value > max) {
        problems.push(`${name} is a whole number from ${min} to ${max}`)
        return min
      }
      return value
    },
    oneOf<const T extends string>(name: SettingName, allowed: readonly T[]): T {
      const value = allowed.find((one) => one === text(name))
      if (value === undefined) problems.push(`${name} is one of ${allowed.join(', ')}`)
      return value ?? (allowed[0] as T)
    },
    /** Scheme, host and port; a path would be lost in silence and is refused. */
    origin(name: SettingName, schemes: string[]): string | undefined {
      const value = text(name)
      if (value === undefined || value === 'off') return undefined
      const url = URL.canParse(value) ? new URL(value) : undefined
      if (
        url === undefined ||
        !schemes.includes(url.protocol) ||
        url.username !== '' ||
        !['', '/'].includes(url.pathname)
      ) {
        problems.push(`${name} is an address like ${schemes[0]}//host without a path`)
        return undefined
      }
      return `${url.protocol}//${url.host}`
    },
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
