// Signal types of others: whether their manifests can be used, and what the banks hold that nothing compares.
import { ask } from '../../db/client.ts'
import { signalTypes } from '../../domain/blob.ts'
import { UsageError, errorMessage } from '../../domain/errors.ts'
import type { OpenDatabase } from '../../service-database.ts'
import { count } from '../output.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { fail, inDatabase, ok, skip, warn } from './check.ts'

export const pluginChecks: Check[] = [
  { id: 'plugins', group: 'machine', run: (context) => Promise.resolve(manifests(context)) },
  { id: 'plugin-signals', group: 'banks', run: inDatabase(notCompared) },
]

function manifests({ others }: DoctorContext): Finding {
  try {
    const types = [...others().values()].map(({ type, version }) => `${type} ${version}`)
    return types.length === 0
      ? skip('no signal type of a plug-in is configured')
      : ok(`signal types of plug-ins: ${types.join(', ')}; plugin check tries them`)
  } catch (error) {
    if (error instanceof UsageError)
      return fail(errorMessage(error).split('\n').join('; '), 'BLOBWATCH_PLUGINS')
    throw error
  }
}

async function notCompared({ app }: OpenDatabase, { others }: DoctorContext): Promise<Finding> {
  const known = [...signalTypes, ...others().keys()]
  const rows = await ask(
    'count the bank signals of types that are not configured',
    app<{ type: string; signals: number }[]>`
      select type, count(*) as signals from bank_signal
      where state = 'live' and type <> all (${known}::text[]) group by type order by type`,
  )
  if (rows.length === 0) return ok('every bank signal is of a type that is compared')
  const told = rows.map(({ type, signals }) => `${count(signals, 'signal')} of ${type}`)
  return warn(
    `${told.join(', ')} in banks and not compared: no plug-in of that name is configured`,
    'name its manifest in BLOBWATCH_PLUGINS and start the service again',
  )
}
