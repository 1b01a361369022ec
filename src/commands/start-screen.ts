// The one screen at start: what is watched, what may be done where, what is not configured and what that costs.
import type { Config } from '../config.ts'
import { exchangeState } from '../exchanges/exchange-state.ts'
import type { Exchange } from '../exchanges/exchange-store.ts'
import type { Manifest } from '../plugins/manifest.ts'
import type { Parts, ServiceUrls } from '../service.ts'
import { version } from '../version.ts'
import { typedAs } from './typed-as.ts'

export function startScreen(options: {
  config: Config
  parts: Pick<Parts, 'database' | 'bankBook' | 'decoder' | 'identity' | 'manifests'>
  urls: ServiceUrls
  exchanges: readonly Exchange[]
}): string {
  const { config, parts, urls, exchanges } = options
  const { manifests } = parts
  const { fetched, others } = sortExchanges(exchanges, manifests)
  const rows: [string, string][] = [
    ['mode', modeLine(config)],
    ['watches', watchesLine(config)],
    ['may act on', actLine(config)],
    [
      'labels',
      config.labeler === undefined ? 'none: no label key' : `signed as ${config.labeler.did}`,
    ],
    ['limits', limitsLine(config)],
    ['banks', banksLine(parts)],
    ['exchanges', exchangesLine(fetched, config)],
    ['keeps', `sightings ${config.keepDays} days; matches, decisions and the ledger for good`],
    ['data', parts.database.place],
    ['decoder', sandboxLine(parts)],
    ['public', `${urls.publicUrl}  (webhook, label stream)`],
    ['private', `${urls.privateUrl}  (/readyz, /metrics, /api/v1)`],
    ['HMA', hmaLine(config, urls)],
    ...typesLine(manifests),
  ]
  const missing = [
    ...missingLines(config, parts),
    ...others.map(({ name, api }) => `exchange ${name}: not fetched, no plug-in is called ${api}`),
  ]
  return [
    `Blobwatch ${version}`,
    ...rows.map(([name, value]) => `  ${name.padEnd(11)} ${value}`),
    ...(missing.length > 0 ? ['  not configured'] : []),
    ...missing.map((line) => `    - ${line}`),
  ].join('\n')
}

function modeLine(config: Config): string {
  if (config.mode === 'observe')
    return 'observe: matches are recorded, nothing is done (BLOBWATCH_MODE=hold or act changes it)'
  if (config.mode === 'hold') return 'hold: a person decides every match'
  return 'act: exact matches act, perceptual ones wait for a person, as each bank permits'
}

function watchesLine(config: Config): string {
  const sources = [
    config.firehose && `the firehose of ${config.firehose.host}`,
    config.webhookSecrets.length > 0 && 'uploads announced by webhook',
  ].filter(Boolean)
  return sources.length === 0 ? "nothing: it answers HMA's clients" : sources.join('; ')
}

function actLine(config: Config): string {
  if (config.pds === undefined) return 'no PDS'
  return config.pds.adminPassword === undefined
    ? `nothing on ${config.pds.url}: no admin password`
    : `blobs and records on ${config.pds.url}`
}

function limitsLine({ limits }: Config): string {
  return `${limits.takedownsPerDay} takedowns and ${limits.labelsPerDay} labels in 24 h; ${limits.actionsPerContent} for one bank content`
}

function banksLine({ bankBook }: Pick<Parts, 'bankBook'>): string {
  const banks = [...bankBook.banks().values()]
  if (banks.length === 0) return `none yet (${typedAs('bank create NAME)')}`
  return banks.map((bank) => `${bank.name} (${bank.mode})`).join(', ')
}

function sandboxLine({ decoder }: Pick<Parts, 'decoder'>): string {
  return Object.entries(decoder.sandbox())
    .map(([wall, state]) => `${wall} ${state}`)
    .join(', ')
}

function hmaLine({ hma }: Config, { hmaUrl, privateUrl }: ServiceUrls): string {
  if (hmaUrl === undefined) return `${privateUrl}  (with keys)`
  const who = hmaUrl.startsWith('unix:') ? 'its owner and group' : hma.networks.join(', ')
  return `${hmaUrl}  (without keys, for ${who}; ${hma.mayWrite ? 'reads and changes' : 'reads only'})`
}

function missingLines(config: Config, parts: Pick<Parts, 'database' | 'identity'>): string[] {
  return [
    config.pds === undefined &&
      'BLOBWATCH_PDS_URL: no host is administered, so nothing is ever taken down',
    config.pds !== undefined &&
      config.pds.adminPassword === undefined &&
      'BLOBWATCH_PDS_ADMIN_PASSWORD: takedowns are decided and wait; none is sent',
    config.labeler === undefined && 'BLOBWATCH_LABELER_DID and _KEY: no label is ever signed',
    config.webhookSecrets.length === 0 &&
      'BLOBWATCH_WEBHOOK_SECRET: uploads are first seen when a record names them',
    config.firehose === undefined && 'no firehose: only announced uploads are seen',
    !parts.database.rolesApart &&
      'BLOBWATCH_DATABASE_OWNER_URL: one database role does everything, so a fault of ours could reach the ledger tables',
    parts.identity.dataKeyFile !== undefined &&
      `the data key was made here: back up ${parts.identity.dataKeyFile}, without it personal values in the ledger are lost`,
    config.hmaApiUrl !== undefined &&
      'HMA_API_URL is set and not used: Blobwatch hashes and matches by itself',
  ].filter((line) => line !== false)
}

function typesLine(plugins: readonly Manifest[]): [string, string][] {
  const types = plugins.filter(({ kind }) => kind === 'signal-type')
  const names = types.map(({ name, version }) => `${name} ${version}`)
  return names.length === 0 ? [] : [['plug-ins', `${names.join(', ')}: what matches by them holds`]]
}

function sortExchanges(exchanges: readonly Exchange[], plugins: readonly Manifest[]) {
  const apis = plugins.flatMap(({ name, kind }) => (kind === 'exchange' ? [name] : []))
  const on = exchanges.filter(({ enabled }) => enabled)
  const others = on.filter((one) => exchangeState(one, apis) === 'no-client')
  return { fetched: on.filter((one) => !others.includes(one)), others }
}

function exchangesLine(fetched: readonly Exchange[], { exchangeMinutes }: Config): string {
  if (fetched.length === 0) return `none is fetched (${typedAs('exchange create NAME')})`
  const names = fetched.map(({ name, api }) => `${name} (${api})`).join(', ')
  return `${names}; ${exchangeMinutes} minutes after each fetch again`
}
