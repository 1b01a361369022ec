// bank disable, enable and resume: one content set aside by a person, or let go on after a flood set it aside.
import type { Command } from 'commander'
import { setContent } from '../banks/bank-store.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'
import { printJson } from './output.ts'
import { parseDuration, parseWhole } from './parse.ts'
import { withSession } from './session.ts'

type StateOptions = { for?: string; json?: boolean }
type Verb = 'disable' | 'enable' | 'resume'

const verbs: Record<Verb, { description: string; done: string }> = {
  disable: {
    description: 'a content matches nothing, for a time or until it is enabled',
    done: 'disabled: it matches nothing from now on. What it caused stays.',
  },
  enable: {
    description: 'a disabled content matches again, and is compared with what was scanned before',
    done: 'enabled: what was scanned before is compared with it.',
  },
  resume: {
    description: 'a content that a flood set aside may act again; its limit counts anew',
    done: 'resumed: it may act again, as its bank permits. What was held meanwhile waits in its cases.',
  },
}

export function addBankContentState(command: Command, io: Io): void {
  for (const verb of ['disable', 'enable', 'resume'] as const) {
    const added = command
      .command(verb)
      .description(verbs[verb].description)
      .argument('<BANK>', 'the bank')
      .argument('<CONTENT>', 'the number that bank show prints')
      .option('--json', 'print the result as JSON')
      .action((bank: string, content: string, options: StateOptions) =>
        run(io, verb, bank, content, options),
      )
    if (verb === 'disable') added.option('--for <SPAN>', 'enabled again by itself after 12h, 7d, …')
    withExamples(added, [`bank ${verb} SPAM 12${verb === 'disable' ? ' --for 7d' : ''}`])
  }
}

async function run(
  io: Io,
  verb: Verb,
  bank: string,
  contentText: string,
  options: StateOptions,
): Promise<void> {
  const content = parseWhole(contentText, 'a content number', { min: 1, max: 2_147_483_647 })
  await withSession(io, async (session) => {
    const common = { bank, content, principal: await session.principal(), nowMs: session.nowMs() }
    if (verb === 'resume') await setContent(session.db, { ...common, change: 'resume' })
    else {
      const disableUntilTs = verb === 'enable' ? 1 : untilTs(options.for, session.nowMs())
      await setContent(session.db, { ...common, change: 'set', disableUntilTs })
    }
    if (options.json === true) printJson(io, { bank, content, change: verb })
    else io.out(`content ${content} of ${bank} ${verbs[verb].done}`)
  })
}

function untilTs(span: string | undefined, nowMs: number): number {
  return span === undefined ? 0 : Math.ceil((nowMs + parseDuration(span, '--for')) / 1000)
}
