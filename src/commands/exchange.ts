// exchange: outside programmes that fill a bank. The service fetches; these commands say from whom, and show what came of it.
import type { Command } from 'commander'
import { bankClasses, parseBankName } from '../domain/bank.ts'
import { UsageError } from '../domain/errors.ts'
import { exchangeSentence, exchangeState } from '../exchanges/exchange-state.ts'
import type { ExchangeState } from '../exchanges/exchange-state.ts'
import {
  askForFetch,
  createExchange,
  readExchange,
  readExchanges,
  removeLargeExchange,
  setExchange,
} from '../exchanges/exchange-store.ts'
import type { Author, Exchange } from '../exchanges/exchange-store.ts'
import { exchangeManifests } from '../service-exchanges.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson, printRows, shortTime } from './output.ts'
import type { Column } from './output.ts'
import { parseOneOf } from './parse.ts'
import { configuredManifests } from './plugins.ts'
import { withSession } from './session.ts'
import type { CommandSession } from './session.ts'

/** Contents. */
const progressEvery = 50_000

type Json = { json?: boolean }
type CreateOptions = Json & { api: string; class: string }
type FetchOptions = Json & { allowDeletions?: boolean; fromStart?: boolean }

export function addExchange(program: Command, io: Io): void {
  const command = program
    .command('exchange')
    .description(
      'outside programmes that fill a bank: list, create, enable, disable, fetch, remove',
    )
  withExamples(
    command
      .command('list')
      .description('the exchanges, when they were fetched, and what stayed out')
      .option('--json', 'print the result as JSON')
      .action((options: Json) => runList(io, options)),
    ['exchange list', 'exchange list --json'],
  )
  withExamples(
    command
      .command('create')
      .description('set one up, with a bank of its name: confidential, in observe')
      .argument('<NAME>', 'UPPER_WITH_UNDERSCORE')
      .requiredOption('--api <API>', 'the name of a plug-in of BLOBWATCH_PLUGINS')
      .option(
        '--class <CLASS>',
        'restricted (child abuse, intimate images, lists under agreement) or open, which may have a label',
        'restricted',
      )
      .option('--json', 'print the result as JSON')
      .action((name: string, options: CreateOptions) => runCreate(io, name, options)),
    [
      'exchange create PARTNER_LIST --api change_list',
      'exchange create SPAM_LIST --api spam_feed --class open',
    ],
  )
  for (const [verb, description] of [
    ['enable', 'fetch from it, at once and then again and again'],
    ['disable', 'fetch no more; its bank stays as it is'],
  ] as const) {
    withExamples(
      command
        .command(verb)
        .description(description)
        .argument('<NAME>', 'the exchange')
        .option('--json', 'print the result as JSON')
        .action((name: string, options: Json) => runSet(io, name, verb === 'enable', options)),
      [`exchange ${verb} PARTNER_LIST`],
    )
  }
  addFetch(command, io)
}

function addFetch(command: Command, io: Io): void {
  withExamples(
    command
      .command('fetch')
      .description('let the service fetch it now, also where it waits after a failure')
      .argument('<NAME>', 'the exchange')
      .option('--allow-deletions', 'it may delete more than it may by itself, this once')
      .option('--from-start', 'all that the programme has; what it does not tell again stays')
      .option('--json', 'print the result as JSON')
      .action((name: string, options: FetchOptions) => runFetch(io, name, options)),
    ['exchange fetch PARTNER_LIST', 'exchange fetch PARTNER_LIST --allow-deletions'],
  )
  withExamples(
    command
      .command('remove')
      .description('end an exchange and its bank; what its contents caused stays')
      .argument('<NAME>', 'the exchange')
      .requiredOption('--with-bank', 'say that you mean the bank too; `disable` keeps it')
      .option('--json', 'print the result as JSON')
      .action((name: string, options: Json) => runRemove(io, name, options)),
    ['exchange remove PARTNER_LIST --with-bank'],
  )
}

type Shown = Omit<Exchange, 'config'> & { state: ExchangeState }

async function runList(io: Io, options: Json): Promise<void> {
  const rows = await withSession(io, async ({ db, nowMs }) => {
    const apis = apisOf(io)
    const exchanges = await readExchanges(db, { nowMs: nowMs() })
    return exchanges.map((one): Shown => {
      // A configuration that came with an import may hold a credential.
      const { config: _, ...shown } = one
      return { ...shown, state: exchangeState(one, apis) }
    })
  })
  printRows(io, options, 'exchanges', rows, columns, 'There is no exchange: exchange create NAME')
}

const columns: Column<Shown>[] = [
  { head: 'exchange', cell: (row) => row.name },
  { head: 'api', cell: (row) => row.api },
  { head: 'state', cell: (row) => exchangeSentence(row, row.state) },
  { head: 'last success', cell: (row) => shortTime(row.succeededAt) || 'never' },
  { head: 'next', cell: (row) => nextOf(row) },
  { head: 'items', cell: (row) => row.fetchedItems, align: 'right' },
  {
    head: 'left out',
    cell: ({ leftOut }) =>
      Object.entries(leftOut)
        .map(([reason, count]) => `${count} ${reason}`)
        .join('\n'),
  },
]

function nextOf({ state, nextFetchAt }: Shown): string {
  if (state === 'off' || state === 'no-client') return ''
  return nextFetchAt === null ? 'now' : shortTime(nextFetchAt)
}

async function runCreate(io: Io, given: string, options: CreateOptions): Promise<void> {
  const name = parseBankName(given)
  const { api } = options
  const bankClass = parseOneOf(options.class, '--class', bankClasses)
  await withSession(io, async (session) => {
    const apis = apisOf(io)
    if (!apis.includes(api)) {
      const known = apis.length === 0 ? 'it names none' : `it names ${apis.join(', ')}`
      throw new UsageError(`no exchange of BLOBWATCH_PLUGINS is called ${api}: ${known}`)
    }
    const set = { name, api, config: {}, class: bankClass }
    await createExchange(session.db, { ...set, ...(await author(session)) })
    if (options.json === true) printJson(io, { name, api, class: bankClass, enabled: true })
    else
      io.out(
        `exchange ${name} made, and a bank of that name, which observes. A running service fetches it now; when the list is what you expect: bank set ${name} --mode hold`,
      )
  })
}

async function runSet(io: Io, name: string, enabled: boolean, options: Json): Promise<void> {
  await withSession(io, async (session) => {
    await setExchange(session.db, { name, enabled, ...(await author(session)) })
    if (options.json === true) printJson(io, { name, enabled })
    else
      io.out(
        enabled
          ? `exchange ${name} is on: a running service fetches it now.`
          : `exchange ${name} is off. Its bank stays as it is: bank set ${name} --mode observe stops that too.`,
      )
  })
}

async function runFetch(io: Io, name: string, options: FetchOptions): Promise<void> {
  const allowDeletions = options.allowDeletions === true
  const fromStart = options.fromStart === true
  await withSession(io, async (session) => {
    const by = await author(session)
    await askForFetch(session.db, { name, allowDeletions, fromStart, ...by })
    if (options.json === true) printJson(io, { name, allowDeletions, fromStart })
    else io.out(`A running service fetches ${name} now; exchange list shows what came of it.`)
  })
}

async function runRemove(io: Io, name: string, options: Json): Promise<void> {
  await withSession(io, async (session) => {
    const by = await author(session)
    if ((await readExchange(session.db, { name, nowMs: by.nowMs })) === undefined)
      throw new UsageError(`Exchange '${name}' not found`)
    const onProgress = (removed: number) => {
      if (removed > 0 && removed % progressEvery === 0) io.err(`${removed} contents removed`)
    }
    await removeLargeExchange(session.db, { name, onProgress, ...by })
    if (options.json === true) printJson(io, { name, removed: true })
    else io.out(`exchange ${name} and its bank are gone: nothing matches it any more.`)
  })
}

async function author(session: CommandSession): Promise<Author> {
  return { principal: await session.principal(), nowMs: session.nowMs() }
}

function apisOf(io: Io): string[] {
  return exchangeManifests(configuredManifests(io)).map(({ name }) => name)
}
