// The store that the settings name.
import type { EvidenceConfig } from './config-evidence.ts'
import type { EvidenceStore } from './domain/ports.ts'
import { createDiskStore } from './evidence/disk-store.ts'
import { createS3Store } from './evidence/s3-store.ts'
import { createVault } from './evidence/vault.ts'
import type { Vault } from './evidence/vault.ts'

export function openStore({ store }: EvidenceConfig): EvidenceStore {
  switch (store.kind) {
    case 'disk':
      return createDiskStore(store)
    case 's3':
      return createS3Store(store)
    default:
      return store satisfies never
  }
}

export function openVault(config: EvidenceConfig): Vault {
  return createVault({ ...config, store: openStore(config) })
}
