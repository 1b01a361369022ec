// explain: why something matched or did not, was done or was not; and what would come of it now. Changes nothing.
import type { Command } from 'commander'
import { UsageError } from '../domain/errors.ts'
import { explainBlobs } from './explain-blob.ts'
import { runExplainContent } from './explain-content.ts'
import { explainPair } from './explain-pair.ts'
import type { Io } from './io.ts'
import { withExamples } from './examples.ts'

export type ExplainOptions = {
  blob?: string
  case?: string
  pair?: [string, string]
  content?: string
  type?: string
  bank?: string
  bits?: boolean
  limit: string
  page: string
  json?: boolean
}

export function addExplain(program: Command, io: Io): void {
  const command = program
    .command('explain')
    .description(
      'why something matched or not and what followed: every gate of a blob or case, a pair, a content; and what the banks of now would say',
    )
    .option('--blob <CID>', 'a blob, gate by gate')
    .option('--case <N>', 'the blobs of a case, gate by gate')
    .option(
      '--pair <A B...>',
      'two of: a file, a hex signal, a blob CID; A as it is seen (turned, mirrored, trimmed), B as it is banked',
    )
    .option(
      '--content <ID>',
      'a bank content: what it is, what it matched, what another distance would match',
    )
    .option('--type <TYPE>', 'with --pair: what a hex signal is, where its length does not tell')
    .option('--bank <NAME>', 'with --pair: the threshold of this bank only')
    .option('--bits', 'which of the 16x16 bits differ; never where a restricted bank is concerned')
    .option('--limit <N>', 'with --case: blobs on a page', '5')
    .option('--page <N>', 'with --case: which page, from 1', '1')
    .option('--json', 'print the result as JSON')
    .action((options: ExplainOptions) => run(io, options))
  withExamples(command, [
    'explain --blob bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
    'explain --case 7',
    'explain --pair a.jpg b.jpg --bits',
    'explain --content 12 --json',
  ])
}

async function run(io: Io, options: ExplainOptions): Promise<void> {
  const { blob, case: caseText, pair, content } = options
  const asked = [blob, caseText, pair, content].filter((one) => one !== undefined)
  if (asked.length !== 1) {
    throw new UsageError('explain takes one of --blob CID, --case N, --pair A B, --content ID')
  }
  if (pair !== undefined) {
    const [a, b, ...more] = pair
    if (a === undefined || b === undefined || more.length > 0)
      throw new UsageError('--pair takes two things: files, hex signals or blob CIDs')
    await explainPair(io, [a, b], options)
  } else if (content !== undefined) {
    await runExplainContent(io, content, options)
  } else {
    await explainBlobs(io, options)
  }
}
