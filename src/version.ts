// The version, from the one place that has it.
import packageFile from '../package.json' with { type: 'json' }

export const version: string = packageFile.version
