// A report in sentences: the verdict first, then where, then what was looked at.
import type { BundleReport, Verdict } from './verify-bundle.ts'
import type { ProofReport } from './verify-proof-file.ts'

export const verdictWords: Record<Verdict, string> = {
  true: 'TRUE',
  tampered: 'TAMPERED',
  incomplete: 'INCOMPLETE',
}

export const exitCodeOf: Record<Verdict, number> = { true: 0, tampered: 1, incomplete: 2 }

/** One sentence that says what the verdict means. */
export function verdictSentence(report: BundleReport): string {
  const entries = `${amount(report.entries, 'entry', 'entries')} of ${report.log}`
  switch (report.verdict) {
    case 'true':
      return `${entries} are what was signed${report.anchored === undefined ? '' : ' and witnessed'}.`
    case 'tampered':
      return `This is not what was signed: ${amount(report.tampered, 'finding')} of tampering in ${entries}.`
    case 'incomplete':
      return `Nothing was found to be changed, but not everything could be shown: ${amount(report.incomplete, 'reason')}.`
    default:
      throw new TypeError(`unknown verdict ${String(report.verdict satisfies never)}`)
  }
}

export function findingLines(report: { findings: BundleReport['findings'] }): string[] {
  return report.findings.map((finding) => `${finding.kind}: ${finding.where}: ${finding.problem}`)
}

/** What was looked at, a fact a line. */
export function factLines(report: BundleReport): string[] {
  const { opened, anchored } = report
  const lines = [
    `entries      ${report.entries}${report.firstTime === undefined ? '' : `, ${report.firstTime} to ${report.lastTime}`}`,
    `root         ${report.root}`,
    `checkpoints  ${report.checkpoints}, pinned ${report.pins}${report.lostCheckpoints > 0 ? `, of lost entries ${report.lostCheckpoints}` : ''}`,
    `quorum       ${report.quorum}${anchored === undefined ? '' : `: met for ${anchored.size} entries at ${anchored.at}`}`,
    `records      ${report.records} in repositories, ${amount(report.stamps.length, 'time stamp')}`,
    `actions      ${amount(report.openIntents, 'intent')} without a result yet`,
    opened.mode === 'none'
      ? 'values       none are in this bundle'
      : `values       ${opened.opened} opened, ${amount(opened.erased, 'entry', 'entries')} erased by record (${opened.mode} claimed)`,
  ]
  return [...lines, ...stampLines(report)]
}

/** The signature of an authority needs its certificate: openssl has the rest. */
function stampLines({ stamps }: BundleReport): string[] {
  return stamps.flatMap(({ size, who, says, digest, isToken, line }) => [
    `time stamp   ${size} entries, by ${who}: says ${says}; its signature is checked with`,
    `  sed -n ${line}p anchors.jsonl | sed 's/.*"body":"\\([^"]*\\)".*/\\1/' | base64 -d > stamp.tsr`,
    `  openssl ts -verify ${isToken ? '-token_in ' : ''}-in stamp.tsr -digest ${digest} -CAfile AUTHORITY.pem`,
  ])
}

export function proofSentence(report: ProofReport): string {
  const place = `entry ${report.index} of ${report.size} in ${report.log}`
  const seen = report.anchoredAt === undefined ? '' : `, witnessed at ${report.anchoredAt}`
  if (report.verdict === 'true') return `This is ${place}${seen}.`
  return report.verdict === 'tampered'
    ? `This is not shown to be ${place}.`
    : `This is ${place}, as far as this can be shown.`
}

function amount(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`
}
