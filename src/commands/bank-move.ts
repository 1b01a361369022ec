// bank remove and bank move: a content leaves a bank, for good or for another one.
import type { Command } from 'commander'
import { bankNamed, moveContent, removeContent } from '../banks/bank-store.ts'
import { sourceOf } from '../banks/bank-contents.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson } from './output.ts'
import { parseWhole } from './parse.ts'
import { withSession } from './session.ts'

export function addBankMove(command: Command, io: Io): void {
  withExamples(
    command
      .command('remove')
      .description(
        'remove a content: it matches nothing from now on; what it caused stays as it is',
      )
      .argument('<BANK>', 'the bank')
      .argument('<CONTENT>', 'the number that bank show prints')
      .option('--json', 'print the result as JSON')
      .action((bank: string, content: string, options: { json?: boolean }) =>
        runRemove(io, bank, content, options),
      ),
    ['bank remove SPAM 12'],
  )
  withExamples(
    command
      .command('move')
      .description(
        'move a content to another bank: a new content there, with a note of where it came from',
      )
      .argument('<BANK>', 'the bank')
      .argument('<CONTENT>', 'the number that bank show prints')
      .requiredOption('--to <BANK>', 'the other bank')
      .option('--json', 'print the result as JSON')
      .action((bank: string, content: string, options: { to: string; json?: boolean }) =>
        runMove(io, bank, content, options),
      ),
    ['bank move CANDIDATES 12 --to SPAM'],
  )
}

async function runRemove(
  io: Io,
  bank: string,
  contentText: string,
  options: { json?: boolean },
): Promise<void> {
  const content = parseContent(contentText)
  await withSession(io, async (session) => {
    const { db } = session
    const source = await sourceOf(db, (await bankNamed(db, bank)).id, content)
    await removeContent(db, {
      bank,
      content,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (options.json === true) {
      printJson(io, { bank, content, removed: true })
      return
    }
    io.out(
      `content ${content} removed from ${bank}: it matches nothing from now on. What it caused stays; reverse --content ${content} takes that back.`,
    )
    if (source !== undefined)
      io.out(
        `It came with the list '${source}', and comes again with the next import of it; bank disable keeps it out.`,
      )
  })
}

async function runMove(
  io: Io,
  bank: string,
  contentText: string,
  options: { to: string; json?: boolean },
): Promise<void> {
  const content = parseContent(contentText)
  await withSession(io, async (session) => {
    const moved = await moveContent(session.db, {
      bank,
      content,
      to: options.to,
      principal: await session.principal(),
      nowMs: session.nowMs(),
    })
    if (options.json === true) printJson(io, { bank, content, to: options.to, moved })
    else
      io.out(
        `content ${content} of ${bank} is content ${moved} of ${options.to} now: that bank's mode and policy decide about its matches.`,
      )
  })
}

function parseContent(text: string): number {
  return parseWhole(text, 'a content number', { min: 1, max: 2_147_483_647 })
}
