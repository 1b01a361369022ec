// A DID for the labeler: its key and its address in the PLC directory, as a real labeler has them.
import { Secp256k1Keypair } from '@atproto/crypto'

/** `publicUrl`: where the label stream is. Returns the new DID. */
export async function registerLabeler(options: {
  plcUrl: string
  keyHex: string
  publicUrl: string
}): Promise<string> {
  // Comes with dev-env, so it is loaded here only.
  const plc = await import('@did-plc/lib')
  const key = await Secp256k1Keypair.import(options.keyHex)
  const operation = await plc.signOperation(
    {
      type: 'plc_operation',
      alsoKnownAs: [],
      rotationKeys: [key.did()],
      verificationMethods: { atproto_label: key.did() },
      services: { atproto_labeler: { type: 'AtprotoLabeler', endpoint: options.publicUrl } },
      prev: null,
    },
    key,
  )
  const did = await plc.didForCreateOp(operation)
  await new plc.Client(options.plcUrl).sendOperation(did, operation)
  return did
}
