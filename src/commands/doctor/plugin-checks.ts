// Signal types of others: whether their manifests can be used, and what the banks hold that nothing compares.
import { ask } from '../../db/client.ts'
import { UsageError, errorMessage } from '../../domain/errors.ts'
import { typesWith } from '../../domain/other-type.ts'
import { otherTypesOf } from '../../plugins/plugin-hasher.ts'
import type { OpenDatabase } from '../../service-database.ts'
import { openPluginParts, openPlugins } from '../../service-plugins.ts'
import { count } from '../output.ts'
import { typedAs } from '../typed-as.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { fail, inDatabase, ok, skip, warn } from './check.ts'

export const pluginChecks: Check[] = [
  { id: 'plugins', group: 'machine', run: answering },
  { id: 'plugin-signals', group: 'banks', run: inDatabase(notCompared) },
]

/** Each is started as the service starts it and shown an empty file. */
async function answering({ manifests, nowMs }: DoctorContext): Promise<Finding> {
  try {
    await using open = await openPlugins(manifests(), () =>
      openPluginParts({ clock: () => nowMs, warn: () => {} }),
    )
    const { plugins } = open
    if (plugins.length === 0) return skip('no signal type of a plug-in is configured')
    const answers = await Promise.all(
      plugins.map(async (plugin) => ({ plugin, answer: await plugin.hash(new Uint8Array()) })),
    )
    const silent = answers.flatMap(({ plugin: { manifest }, answer }) =>
      answer.kind === 'failed' && answer.reason !== 'refused'
        ? [`${manifest.name} (${answer.reason})`]
        : [],
    )
    if (silent.length > 0)
      return fail(
        `plug-ins that give no answer: ${silent.join(', ')}; nothing is clear without them`,
        typedAs('plugin check'),
      )
    const types = plugins.map(({ manifest: { name, version } }) => `${name} ${version}`)
    return ok(`plug-ins that answer: ${types.join(', ')}`)
  } catch (error) {
    if (error instanceof UsageError)
      return fail(errorMessage(error).split('\n').join('; '), 'BLOBWATCH_PLUGINS')
    throw error
  }
}

async function notCompared({ app }: OpenDatabase, { manifests }: DoctorContext): Promise<Finding> {
  const known = typesWith(otherTypesOf(manifests()))
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
