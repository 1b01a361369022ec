// A vault for tests: a store in memory that can be away, with keys made for the test.
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { RetryableError } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import { checkObjectName } from './object-name.ts'
import { createVault } from './vault.ts'

export type MemoryStore = EvidenceStore & {
  objects: Map<string, Uint8Array>
  /** Calls so far, as `put NAME`. */
  calls: string[]
  /** Every call fails with this; undefined: as usual again. */
  fail(error: Error | undefined): void
}

export async function vaultInTest() {
  const officerKey = await generateIdentity()
  const serviceKey = await generateIdentity()
  const store = memoryStore()
  return {
    officerKey,
    serviceKey,
    store,
    vault: createVault({
      store,
      recipients: [await identityToRecipient(officerKey)],
      serviceRecipient: await identityToRecipient(serviceKey),
    }),
  }
}

export const storeAway = new RetryableError('the store is away')

function memoryStore(): MemoryStore {
  const objects = new Map<string, Uint8Array>()
  const calls: string[] = []
  let failure: Error | undefined
  const called = (what: string, name: string) => {
    calls.push(`${what} ${checkObjectName(name)}`)
    if (failure !== undefined) throw failure
  }
  return {
    kind: 'disk',
    objects,
    calls,
    fail(error) {
      failure = error
    },
    async put(name, bytes) {
      called('put', name)
      objects.set(name, bytes)
    },
    async get(name) {
      called('get', name)
      return objects.get(name)
    },
    async has(name) {
      called('has', name)
      return objects.get(name)?.length
    },
    async remove(name) {
      called('remove', name)
      objects.delete(name)
      return { versionsKept: false }
    },
  }
}
