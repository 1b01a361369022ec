// The settings of plug-ins and of the exchanges that they fetch.
import { isAbsolute } from 'node:path'

export const pluginSettings = {
  BLOBWATCH_PLUGINS: {
    help: 'Manifests of plug-ins (docs/extending.md), whole paths with commas between them. Read at the start; `plugin check` tries them. Every blob of the media that a signal type names is shown to it, and its values are compared with those in the banks. An exchange whose api has the name of such a plug-in is fetched.',
  },
  BLOBWATCH_EXCHANGE_MINUTES: {
    fallback: '15',
    help: 'Minutes from the end of a fetch from an exchange to the next. What failed is asked again after a minute, then after twice as long each time, an hour at most.',
  },
} as const

const pluginsMax = 16

export function readPlugins(
  read: { text(name: 'BLOBWATCH_PLUGINS'): string | undefined },
  problems: string[],
): string[] {
  const paths = (read.text('BLOBWATCH_PLUGINS') ?? '')
    .split(',')
    .map((path) => path.trim())
    .filter(Boolean)
  if (paths.some((path) => !isAbsolute(path)))
    problems.push('BLOBWATCH_PLUGINS has whole paths: /etc/blobwatch/plugin/manifest.json')
  if (new Set(paths).size < paths.length) problems.push('BLOBWATCH_PLUGINS names one path twice')
  if (paths.length > pluginsMax) problems.push(`BLOBWATCH_PLUGINS has ${pluginsMax} paths at most`)
  return paths
}
