// report: what an auditor, a regulator or the EU's transparency database is given.
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { addReportCompliance } from './report-compliance.ts'

export function addReport(program: Command, io: Io): void {
  const command = program
    .command('report')
    .description('reports about a period: compliance for auditors, dsa for the EU database')
  addReportCompliance(command, io)
}
