// The signer that the settings name: behind a socket, or in this process with a key and heads in the data folder.
import { join } from 'node:path'
import { UsageError } from '../../domain/errors.ts'
import type { SignerKey } from '../note/signer-key.ts'
import { createHeadKeeper } from './head-keeper.ts'
import { makeKeyFile, parseKey, readKeyFile } from './key-file.ts'
import { createSignerClient } from './signer-client.ts'
import { createSigner } from './signer.ts'
import type { LedgerSigner } from './signer.ts'

export type SignerSettings = {
  dataDir: string
  /** Path of the socket; undefined: in this process. */
  signerSocket: string | undefined
  /** Text of the private key; undefined: `ledger.key` in the data folder. */
  signerKey: string | undefined
}

/** `log`: the ledger's name. A key is made at the first use. Throws UsageError for a key of another name. */
export async function openSigner(settings: SignerSettings, log: string): Promise<LedgerSigner> {
  if (settings.signerSocket !== undefined)
    return createSignerClient({ path: settings.signerSocket })
  const key = await findSignerKey(settings, log)
  return createSigner({
    key,
    keeper: await createHeadKeeper({ folder: headsFolder(settings) }),
  })
}

export function headsFolder({ dataDir }: Pick<SignerSettings, 'dataDir'>): string {
  return join(dataDir, 'ledger-heads')
}

export function signerKeyFile({ dataDir }: Pick<SignerSettings, 'dataDir'>): string {
  return join(dataDir, 'ledger.key')
}

async function findSignerKey(settings: SignerSettings, log: string): Promise<SignerKey> {
  const file = signerKeyFile(settings)
  const key =
    settings.signerKey === undefined
      ? ((await readKeyFile(file, 'log')) ??
        (await makeKeyFile(file, log, 'log')) ??
        (await readKeyFile(file, 'log')))
      : parseKey(settings.signerKey, 'log', 'BLOBWATCH_LEDGER_KEY')
  if (key === undefined) throw new UsageError(`${file} was taken away while it was read`)
  if (key.verifier.name !== log)
    throw new UsageError(
      `the ledger's key is named ${key.verifier.name} and the ledger ${log}: set BLOBWATCH_LOG_NAME to the key's name, or give the ledger's own key`,
    )
  return key
}
