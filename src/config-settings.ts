// Every setting: its variable, its value where it is not set, and what it is for. docs/operating/configuration.md and
// .env.example are written from this table.
import { evidenceSettings } from './config-evidence.ts'
import { pluginSettings } from './config-plugins.ts'

export type Setting = {
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
    help: 'Intake and imports stop while the disk of the data folder has less than this free.',
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
