// account erase: what is kept about an account goes, with a preview of what goes, what stays and why.
import type { Command } from 'commander'
import { isValidDid } from '@atproto/syntax'
import { erasurePreview } from '../cases/personal.ts'
import type { ErasurePreview } from '../cases/personal.ts'
import { UsageError } from '../domain/errors.ts'
import { requestErasure } from '../steps/personal.ts'
import type { Erased } from '../steps/personal.ts'
import { withExamples } from './examples.ts'
import { exitCodes } from './exit-codes.ts'
import type { Io } from './io.ts'
import { count, printFacts, printJson } from './output.ts'
import { withSession } from './session.ts'

type EraseOptions = { basis: string; yes?: boolean; json?: boolean }

const basisCharsMax = 500

const waitSentences: Record<string, string> = {
  'legal-hold': 'A legal hold stands: nothing is erased while it does.',
  'open-case': 'A case with this account is open: it has to be decided first.',
  action: 'An action about this account is on its way: it has to end first.',
  label: 'A label on it is in force: it is negated first, within a moment of a running service.',
  entry: 'Something about it waits for its ledger entry: a running service makes it in a moment.',
}

export function addAccount(program: Command, io: Io): void {
  const command = program
    .command('account')
    .description('what is kept about an account: erase (show DID prints it)')
  withExamples(
    command
      .command('erase')
      .description('erase what is kept about an account; without --yes only say what would go')
      .argument('<DID>', 'the account')
      .requiredOption(
        '--basis <TEXT>',
        'why, without naming the person; kept sealed behind the ledger entry',
      )
      .option('--yes', 'do it; it cannot be taken back')
      .option('--json', 'print the result as JSON')
      .action((did: string, options: EraseOptions) => runErase(io, did, options)),
    [
      'account erase did:plc:ewvi7nxzyoun6zhxrhs64oiz --basis "request of 3 May, file 12"',
      'account erase did:plc:ewvi7nxzyoun6zhxrhs64oiz --basis "request of 3 May, file 12" --yes',
    ],
  )
}

async function runErase(io: Io, did: string, options: EraseOptions): Promise<void> {
  const basis = options.basis.trim()
  if (!isValidDid(did))
    throw new UsageError('an account is given by its DID (did:plc:… or did:web:…)')
  if (basis === '' || basis.length > basisCharsMax || basis.includes('did:'))
    throw new UsageError(`--basis has 1 to ${basisCharsMax} characters and names no DID`)
  await withSession(io, async (session) => {
    const preview = await erasurePreview(session.db, did)
    if (preview === undefined)
      throw new UsageError('no account with this DID is known here: there is nothing to erase')
    if (options.yes !== true) {
      if (options.json === true) printJson(io, { did, done: false, ...preview })
      else tellPreview(io, preview)
      return
    }
    const erased = await requestErasure(session.db, {
      did,
      basis,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (erased.result === 'waiting') io.setExitCode(exitCodes.notOk)
    // The DID is not said again once it is erased.
    if (options.json === true) printJson(io, { done: erased.result === 'erased', ...erased })
    else tellErased(io, erased)
  })
}

function tellPreview(io: Io, { account, goes, stays, waitsFor }: ErasurePreview): void {
  io.out(`Account ${account}. An erasure removes:`)
  printFacts(io, [
    ['  the DID itself', 1],
    ['  values and salts behind ledger entries, and the key', goes.values],
    ['  sightings', goes.sightings],
    ['  announced uploads', goes.announced],
    ['  requests of programs and reports of users about it', goes.requests],
    ['  gaps of its records', goes.gaps],
    ['  unread frames that spell its DID', goes.frames],
  ])
  io.out(
    'It stays, because the record of what was done has to hold, under a number without a name:',
  )
  printFacts(io, [
    ['  decisions', stays.decisions],
    ['  actions', stays.actions],
    ['  cases', stays.cases],
    ['  ledger entries whose commitments nobody can open', goes.entries],
    ['  labels, negated, for 30 days: consumers must learn of it', goes.labels],
  ])
  for (const why of waitsFor) io.out(waitSentences[why] ?? `It waits: ${why}.`)
  io.out('Nothing was changed. To do it, say it again with --yes.')
}

function tellErased(io: Io, { account, result, waitsFor, fields }: Erased): void {
  if (result === 'erased') {
    io.out(`Account ${account} is erased: ${count(fields, 'value')} and its key are gone.`)
    return
  }
  io.out(`Account ${account} is not erased yet.`)
  for (const why of waitsFor) io.out(waitSentences[why] ?? `It waits: ${why}.`)
  io.out('The request is noted; a running service tries it again every minute.')
}
