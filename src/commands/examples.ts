// The examples of a verb: shown by --help, and by docs/operating/commands.md.
import type { Command } from 'commander'

const kept = new WeakMap<Command, string[]>()

/** Lines as they are typed after `npm run blobwatch --`. */
export function withExamples(command: Command, lines: string[]): Command {
  kept.set(command, lines)
  return command.addHelpText('after', () =>
    ['', 'Examples:', ...lines.map((line) => `  blobwatch ${line}`)].join('\n'),
  )
}

export function examplesOf(command: Command): string[] {
  return kept.get(command) ?? []
}
