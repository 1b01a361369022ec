// The DID document of a labeler that lives at its own web address (did:web). A did:plc labeler publishes its key
// and address in the PLC directory instead.
import type { Did } from '../domain/blob.ts'
import { UsageError } from '../domain/errors.ts'

export type DidDocument = {
  '@context': string[]
  id: Did
  verificationMethod: {
    id: string
    type: 'Multikey'
    controller: Did
    publicKeyMultibase: string
  }[]
  service: { id: string; type: string; serviceEndpoint: string }[]
}

/** Undefined for other DID methods. Throws UsageError when the DID names another host than the public address. */
export function didWebDocument(labeler: {
  did: Did
  keyDid: string
  publicUrl: string
}): DidDocument | undefined {
  const { did, keyDid, publicUrl } = labeler
  if (!did.startsWith('did:web:')) return undefined
  const url = new URL(publicUrl)
  if (decodeURIComponent(did.slice('did:web:'.length)) !== url.host) {
    throw new UsageError(`the labeler ${did} does not live at ${url.origin}`)
  }
  return {
    '@context': ['https://www.w3.org/ns/did/v1', 'https://w3id.org/security/multikey/v1'],
    id: did,
    verificationMethod: [
      {
        id: `${did}#atproto_label`,
        type: 'Multikey',
        controller: did,
        publicKeyMultibase: keyDid.slice('did:key:'.length),
      },
    ],
    service: [{ id: '#atproto_labeler', type: 'AtprotoLabeler', serviceEndpoint: url.origin }],
  }
}
