// report: what an auditor, a regulator or the EU's transparency database is given.
import type { Command } from 'commander'
import type { Io } from './io.ts'
import { addReportCompliance } from './report-compliance.ts'
import { addReportDsa } from './report-dsa.ts'
import { addReportDsaBank } from './report-dsa-bank.ts'

export function addReport(program: Command, io: Io): void {
  const command = program
    .command('report')
    .description('reports about a period: compliance for auditors, dsa for the EU database')
  addReportCompliance(command, io)
  addReportDsa(command, io)
  addReportDsaBank(command, io)
}
