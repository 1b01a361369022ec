// The signer that the settings name, for looking: no key, folder or head is made here. `serve` makes them.
import type { Config } from '../config.ts'
import { stat } from 'node:fs/promises'
import { createHeadKeeper } from '../ledger/signer/head-keeper.ts'
import type { HeadKeeper } from '../ledger/signer/head-keeper.ts'
import { parseKey, readKeyFile } from '../ledger/signer/key-file.ts'
import { headsFolder, signerKeyFile } from '../ledger/signer/open-signer.ts'
import { createSignerClient } from '../ledger/signer/signer-client.ts'
import { createSigner } from '../ledger/signer/signer.ts'
import type { LedgerSigner } from '../ledger/signer/signer.ts'

/** undefined: it is in the service's process, which has made no key yet. Throws UsageError for a key that is none. */
export async function findSigner(config: Config): Promise<LedgerSigner | undefined> {
  const { signerSocket, signerKey } = config.ledger
  if (signerSocket !== undefined) return createSignerClient({ path: signerSocket })
  const key =
    signerKey === undefined
      ? await readKeyFile(signerKeyFile(config), 'log')
      : parseKey(signerKey, 'log', 'BLOBWATCH_LEDGER_KEY')
  if (key === undefined) return undefined
  const folder = headsFolder(config)
  const isThere = await stat(folder).then(
    () => true,
    () => false,
  )
  return createSigner({ key, keeper: isThere ? await createHeadKeeper({ folder }) : nothingKept })
}

const onlyLooking = () => Promise.reject(new TypeError('this signer is only looked at'))
const nothingKept: HeadKeeper = {
  head: () => Promise.resolve(undefined),
  grow: onlyLooking,
  adopt: onlyLooking,
}
