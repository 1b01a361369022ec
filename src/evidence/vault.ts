// Evidence is kept twice: sealed for the operator's offline recipients, and as a working copy for the service's own
// recipient. Whoever keeps cannot read: only recipients are needed here, no identity.
//
// Promises: both are standard age files of one container; their bytes reach the store only encrypted, and no file is
// written anywhere else. Opening needs the service identity, which the view and report steps alone are given.
import { createHash } from 'node:crypto'
import { Decrypter, Encrypter, identityToRecipient } from 'age-encryption'
import type { Hex } from '../domain/blob.ts'
import { PermanentError, UsageError } from '../domain/errors.ts'
import type { EvidenceStore } from '../domain/ports.ts'
import { packEvidence, unpackEvidence } from './container.ts'
import type { EvidenceFacts } from './container.ts'

export type SealedFile = { bytes: Uint8Array; sha256: Hex }

export type Vault = {
  store: EvidenceStore
  /** Encrypts; stores nothing. */
  seal(
    facts: EvidenceFacts,
    bytes: Uint8Array,
  ): Promise<{ sealed: SealedFile; working: SealedFile }>
}

/** Throws UsageError when a recipient is none: a typing error must not be found when the first evidence is needed. */
export function createVault(options: {
  store: EvidenceStore
  recipients: readonly string[]
  serviceRecipient: string
}): Vault {
  const { store, recipients, serviceRecipient } = options
  encrypterFor(recipients, 'BLOBWATCH_EVIDENCE_RECIPIENTS')
  encrypterFor([serviceRecipient], 'BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT')
  return {
    store,
    async seal(facts, bytes) {
      const container = packEvidence(facts, bytes)
      const [sealed, working] = await Promise.all(
        [recipients, [serviceRecipient]].map((to) => encrypterFor(to, '').encrypt(container)),
      )
      return { sealed: fileOf(sealed), working: fileOf(working) }
    },
  }
}

/** Throws PermanentError: not for this identity, changed, cut short, or no evidence. */
export async function openEvidence(
  file: Uint8Array,
  identity: string,
): Promise<{ facts: EvidenceFacts; bytes: Uint8Array }> {
  const decrypter = new Decrypter()
  decrypter.addIdentity(identity)
  let container: Uint8Array
  try {
    container = await decrypter.decrypt(file)
  } catch (cause) {
    throw new PermanentError('the copy cannot be decrypted: another key, or it was changed', {
      cause,
    })
  }
  return unpackEvidence(container)
}

/** The recipient of an identity; throws UsageError when it is none. */
export async function recipientOf(identity: string): Promise<string> {
  try {
    return await identityToRecipient(identity)
  } catch (cause) {
    throw new UsageError('this is no age identity', { cause })
  }
}

function encrypterFor(recipients: readonly string[], setting: string): Encrypter {
  const encrypter = new Encrypter()
  for (const recipient of recipients) {
    try {
      encrypter.addRecipient(recipient)
    } catch (cause) {
      throw new UsageError(`${setting}: ${recipient.slice(0, 12)}… is no age recipient`, { cause })
    }
  }
  return encrypter
}

function fileOf(bytes: Uint8Array | undefined): SealedFile {
  if (bytes === undefined) throw new TypeError('two copies are made')
  return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
}
