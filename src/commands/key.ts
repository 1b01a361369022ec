// key: credentials of services that call our APIs.
import { randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import {
  changeKey,
  idBytes,
  keyScopes,
  listKeys,
  makeKey,
  parseKeyId,
  personNamed,
  secretBytes,
  serviceNamed,
} from '../cases/api-keys.ts'
import type { KeyRow } from '../cases/api-keys.ts'
import { parseNetworks } from '../api/networks.ts'
import { UsageError } from '../domain/errors.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson, printTable, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { addPaging, onPage, parsePage, tellMore } from './paging.ts'
import type { PageOptions } from './paging.ts'
import { parseDuration, parseList, parseWhole } from './parse.ts'
import { withSession } from './session.ts'

type CreateOptions = {
  scope: string
  expires?: string
  network?: string[]
  rate?: string
  person?: boolean
  json?: boolean
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/

export function addKey(program: Command, io: Io): void {
  const command = program.command('key').description('API keys: create, list, revoke')
  withExamples(
    command
      .command('create')
      .description('make a key and print it, this once')
      .argument('<NAME>', 'who will use it; named in the ledger')
      .requiredOption('--scope <LIST>', `with commas: ${keyScopes.join(', ')}`)
      .option('--expires <SPAN>', 'how long it is good for (90d); without it until revoked')
      .option('--network <CIDR...>', 'only from there: 10.0.0.0/8; never through a proxy')
      .option('--rate <N>', 'requests a second; without it BLOBWATCH_API_REQUESTS_PER_SECOND')
      .option('--person', 'NAME is a person, and what comes with the key is their word')
      .option('--json', 'print the result as JSON')
      .action((name: string, options: CreateOptions) => runCreate(io, name, options)),
    [
      'key create uploader --scope scan,match:read --expires 90d',
      'key create appview --scope blob:read --network 10.1.0.0/16 --rate 5000',
      'key create erin --person --scope case:read,case:decide --expires 30d',
    ],
  )
  const list = command
    .command('list')
    .description('the keys, never their secrets')
    .option('--json', 'print the result as JSON')
    .action((options: PageOptions & { json?: boolean }) => runList(io, options))
  withExamples(addPaging(list), ['key list'])
  withExamples(
    command
      .command('revoke')
      .description('end a key; in force within a second')
      .argument('<ID>', 'its id, which key list shows; a whole key will do')
      .option('--json', 'print the result as JSON')
      .action((id: string, options: { json?: boolean }) => runRevoke(io, id, options)),
    ['key revoke 3f9a0c2b7d41'],
  )
}

async function runCreate(io: Io, name: string, options: CreateOptions): Promise<void> {
  const scopes = parseList(options.scope, '--scope', keyScopes)
  const spanMs =
    options.expires === undefined ? undefined : parseDuration(options.expires, '--expires')
  if (!namePattern.test(name)) {
    throw new UsageError('a name is letters, digits, dots, hyphens and underscores')
  }
  const bound = options.network
  if (bound !== undefined) parseNetworks(bound)
  const requestsPerSecond =
    options.rate === undefined
      ? undefined
      : parseWhole(options.rate, '--rate', { min: 1, max: 1_000_000 })
  await withSession(io, async (session) => {
    const nowMs = session.nowMs()
    const ownerNamed = options.person === true ? personNamed : serviceNamed
    const { id, key, secretSha256 } = makeKey(randomBytes(idBytes + secretBytes))
    const expiresAtMs = spanMs === undefined ? undefined : nowMs + spanMs
    await changeKey(session.db, {
      op: 'create',
      id,
      secretSha256,
      scopes,
      owner: await ownerNamed(session.db, name, nowMs),
      ...(bound !== undefined && { networks: bound }),
      ...(requestsPerSecond !== undefined && { requestsPerSecond }),
      ...(expiresAtMs !== undefined && { expiresAtMs }),
      principal: await session.principal(),
      nowMs,
    })
    const expiresAt = expiresAtMs === undefined ? null : new Date(expiresAtMs)
    if (options.json === true)
      printJson(io, { id, name, scopes, networks: bound, requestsPerSecond, expiresAt, key })
    else {
      io.out(key)
      io.err(
        `Keep it now: it is not shown again. ${expiresAt === null ? 'Good until revoked' : `Good until ${shortTime(expiresAt)}`}: key revoke ${id}`,
      )
    }
  })
}

async function runList(io: Io, options: PageOptions & { json?: boolean }): Promise<void> {
  const page = parsePage(options)
  const read = await withSession(io, ({ db }) =>
    listKeys(db, { limit: page.limit + 1, offset: page.offset }),
  )
  const { rows, more } = onPage(read, page)
  if (options.json === true) {
    printJson(io, { keys: rows, page: page.number, more })
    return
  }
  printTable(io, rows, columns, 'There is no key: key create NAME --scope scan')
  tellMore(io, page, more)
}

async function runRevoke(io: Io, named: string, options: { json?: boolean }): Promise<void> {
  const id = parseKeyId(named)
  await withSession(io, async (session) => {
    await changeKey(session.db, {
      op: 'revoke',
      id,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { id, revoked: true })
    else io.out(`key ${id} revoked: within a second it opens nothing any more.`)
  })
}

const columns: Column<KeyRow>[] = [
  { head: 'id', cell: (row) => row.id },
  { head: 'name', cell: (row) => row.name },
  { head: 'is a', cell: (row) => row.kind },
  { head: 'scopes', cell: (row) => row.scopes.join(', ') },
  { head: 'from', cell: (row) => row.networks?.join(', ') ?? 'anywhere' },
  { head: 'made', cell: (row) => shortTime(row.createdAt) },
  { head: 'expires', cell: (row) => shortTime(row.expiresAt) || 'never' },
  { head: 'last used', cell: (row) => shortTime(row.lastUsedAt) || 'never' },
  { head: 'revoked', cell: (row) => shortTime(row.revokedAt) },
]
