// --keep: the small world stays for looking around, until ctrl-C.
import { once } from 'node:events'
import type { Io } from '../io.ts'
import type { World } from './world.ts'
import { typedAs } from '../typed-as.ts'

export async function keepOpen(io: Io, world: World): Promise<void> {
  io.err(text(world))
  if (!io.stop.aborted) await once(io.stop, 'abort')
}

function text(world: World): string {
  const { network, env } = world
  return [
    '',
    'Everything keeps running until ctrl-C:',
    `  PDS      ${network.pdsUrl} (admin password: ${env['BLOBWATCH_PDS_ADMIN_PASSWORD']})`,
    `  PLC      ${network.plcUrl}`,
    `  public   ${world.publicUrl} (label stream, webhook)`,
    `  private  ${world.privateUrl} (/readyz, /metrics)`,
    `  folder   ${world.dir} (blobwatch.log, data, canary.jpg)`,
    '',
    'In another terminal, in this folder:',
    `  export BLOBWATCH_DATA_DIR=${env['BLOBWATCH_DATA_DIR']}`,
    `  ${typedAs('case list --state all')}`,
    `  ${typedAs('ledger log')}`,
    `  ${typedAs('hold list')}`,
  ].join('\n')
}
