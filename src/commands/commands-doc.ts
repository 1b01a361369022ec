// docs/operating/commands.md, rendered from the program itself. Pure.
import type { Command } from 'commander'
import { examplesOf } from './examples.ts'
import { exitCodeMeanings, exitCodes } from './exit-codes.ts'

export function renderCommandsDoc(program: Command): string {
  const lines = [
    '# Commands',
    '',
    'Written from the program by `node src/commands/write-docs.ts`; a test holds the two together.',
    '',
    'A command is typed as `npm run blobwatch -- VERB`. Results go to stdout, everything else to stderr. `--json` prints one JSON document for machines, `--help` shows the same as this page. Commands act as the person logged in on this machine unless `BLOBWATCH_PRINCIPAL` names another; the ledger keeps who did what.',
    '',
    '## Exit codes',
    '',
    ...Object.entries(exitCodes).map(
      ([name, code]) => `- \`${code}\`: ${exitCodeMeanings[name as keyof typeof exitCodes]}`,
    ),
  ]
  for (const command of program.commands) lines.push(...describe(command, []))
  return `${lines.join('\n')}\n`
}

/** A verb, or each verb of a family. */
function describe(command: Command, above: string[]): string[] {
  const path = [...above, command.name()]
  const own = command.commands.filter((child) => child.name() !== 'help')
  if (own.length > 0) return own.flatMap((child) => describe(child, path))
  const words = command.registeredArguments.map((one) => {
    const name = one.variadic ? `${one.name()}...` : one.name()
    return one.required ? `<${name}>` : `[${name}]`
  })
  const parameters = [
    ...command.registeredArguments.map((one) => `- \`${one.name()}\`: ${one.description}`),
    ...command.options.map(
      (one) => `- \`${one.flags}\`: ${one.description}${fallback(one.defaultValue)}`,
    ),
  ]
  const examples = examplesOf(command)
  return [
    '',
    `## ${path.join(' ')}`,
    '',
    sentence(command.description()),
    '',
    '```',
    ['blobwatch', ...path, ...words].join(' '),
    '```',
    ...(parameters.length > 0 ? ['', ...parameters] : []),
    ...(examples.length > 0
      ? ['', 'Examples:', '', '```', ...examples.map((line) => `blobwatch ${line}`), '```']
      : []),
  ]
}

function fallback(value: unknown): string {
  return typeof value === 'string' ? ` (not given: \`${value}\`)` : ''
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
}
