// The label stream as a consumer reads it: from the first label, over a web socket, trusting only the DID document.
import { verifySignature } from '@atproto/crypto'
import { getDidKeyFromMultibase } from '@atproto/identity'
import { encode } from '@atproto/lex-cbor'
import { Subscription } from '@atproto/xrpc-server'
import { waitLimits } from './wait.ts'
import type { World } from './world.ts'

/** com.atproto.label.defs#label, as it comes. */
export type StreamLabel = {
  src: string
  uri: string
  cid?: string
  val: string
  neg?: boolean
  cts: string
  sig: Uint8Array
}

/** The first label of a record. Throws when the stream does not bring one in time. */
export async function labelOf(
  world: World,
  uri: string,
): Promise<{ seq: number; label: StreamLabel }> {
  const late = AbortSignal.timeout(waitLimits.stepMs)
  const stream = new Subscription({
    service: world.publicUrl.replace('http', 'ws'),
    method: 'com.atproto.label.subscribeLabels',
    getParams: () => ({ cursor: 0 }),
    signal: AbortSignal.any([world.signal, late]),
    validate: (message) => message as { seq: number; labels: StreamLabel[] },
  })
  try {
    for await (const { seq, labels } of stream) {
      const label = labels.find((one) => one.uri === uri)
      if (label !== undefined) return { seq, label }
    }
  } catch (error) {
    if (!late.aborted) throw error
  }
  throw new Error(`no label of this record on the stream within ${waitLimits.stepMs / 1000} s`)
}

export type LabelerDocument = { keyDid: string; endpoint: string }

/** The labeler's key and address as the PLC directory publishes them. */
export async function labelerDocument(world: World): Promise<LabelerDocument> {
  const answer = await fetch(`${world.network.plcUrl}/${world.labelerDid}`, {
    signal: world.signal,
  })
  const document = (await answer.json()) as {
    verificationMethod: { id: string; type: string; publicKeyMultibase: string }[]
    service: { id: string; serviceEndpoint: string }[]
  }
  const key = document.verificationMethod.find(({ id }) => id.endsWith('#atproto_label'))
  const service = document.service.find(({ id }) => id.endsWith('#atproto_labeler'))
  const keyDid = key && getDidKeyFromMultibase(key)
  if (keyDid === undefined || service === undefined)
    throw new Error('the DID document of the labeler has no label key or no address')
  return { keyDid, endpoint: service.serviceEndpoint }
}

/** Over exactly the fields that came, less the signature (atproto.com/specs/label). */
export async function isSigned({ sig, ...fields }: StreamLabel, keyDid: string): Promise<boolean> {
  return await verifySignature(keyDid, encode(fields), sig)
}
