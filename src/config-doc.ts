// docs/operating/configuration.md and .env.example, rendered from the table of settings. Pure.
import { settings } from './config-settings.ts'

type Shown = { name: string; fallback?: string; alias?: string; secret?: boolean; help: string }

const heads: readonly (readonly [string, RegExp])[] = [
  ['What it may do', /^BLOBWATCH_(MODE|TAKEDOWNS_PER_DAY|LABELS_PER_DAY|ACTIONS_PER_CONTENT)$/],
  ['What it watches', /^BLOBWATCH_(PDS_|FIREHOSE_|PLC_|WEBHOOK_)/],
  ['Labels and listeners', /^BLOBWATCH_(LABELER_|PUBLIC_|PRIVATE_)/],
  ['Data', /^BLOBWATCH_(DATA_|DATABASE_|BACKUP_|KEEP_|BLOB_|DISK_|LOG_NAME)/],
  ['The ledger and who holds its heads', /^BLOBWATCH_LEDGER_/],
  ['The evidence vault', /^BLOBWATCH_EVIDENCE_/],
  ['The process', /^/],
]

export function renderConfigurationDoc(): string {
  const lines = [
    '# Configuration',
    '',
    'Written from the table in `src/config-settings.ts` by `node src/commands/write-docs.ts`; a test holds the two together.',
    '',
    'Settings are environment variables. Every problem is reported at once at the start, and an unknown `BLOBWATCH_` variable is refused, so that a typing error cannot switch a safety setting off.',
    '',
    'Each setting `NAME` can also be given as `NAME_FILE`: the path of a file that holds the value. Use that for secrets, and `chmod 600` the file.',
  ]
  for (const { head, members } of grouped()) {
    lines.push('', `## ${head}`)
    for (const one of members) lines.push('', `### ${one.name}`, '', one.help, ...factLines(one))
  }
  return `${lines.join('\n')}\n`
}

export function renderEnvExample(): string {
  const lines = [
    '# The settings of Blobwatch. None is needed to begin; docs/operating/configuration.md says more.',
    '# A secret is better kept in a file: NAME_FILE=/run/secrets/name',
  ]
  for (const { head, members } of grouped()) {
    lines.push('', `# --- ${head} ---`)
    for (const one of members) lines.push('', `# ${one.help}`, `#${one.name}=${one.fallback ?? ''}`)
  }
  return `${lines.join('\n')}\n`
}

/** A setting is under the first head that fits. */
function grouped(): { head: string; members: Shown[] }[] {
  const all = Object.entries(settings)
    .map(([name, setting]): Shown => ({ name, ...setting }))
    .filter(({ name }) => name !== 'BLOBWATCH_CRASH_POINT')
  const headOf = ({ name }: Shown) => heads.find(([, pattern]) => pattern.test(name))?.[0]
  return heads.map(([head]) => ({ head, members: all.filter((one) => headOf(one) === head) }))
}

function factLines({ fallback, alias, secret }: Shown): string[] {
  const facts = [
    fallback !== undefined && `- Not set: \`${fallback}\``,
    alias !== undefined && `- Also read from: \`${alias}\``,
    secret === true && '- Secret: never logged, better given as a file',
  ].filter((line) => line !== false)
  return facts.length === 0 ? [] : ['', ...facts]
}
