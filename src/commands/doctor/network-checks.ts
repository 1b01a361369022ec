// Everything on the other end of a wire: the PDS, the firehose, the PLC directory, and our own DID document.
import { createPdsTakedown } from '../../actions/pds-takedown.ts'
import { NotNowError, RefusedError } from '../../actions/refusal.ts'
import type { Config } from '../../config.ts'
import { createLabelSigner } from '../../labeler/sign-label.ts'
import { ask } from './ask-host.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { checkLimits, fail, note, ok, skip, unchecked, warn } from './check.ts'

export const networkChecks: Check[] = [
  { id: 'pds-reachable', group: 'PDS', online: true, run: pdsReachable },
  { id: 'pds-registration', group: 'PDS', online: true, run: pdsRegistration },
  { id: 'pds-admin', group: 'PDS', online: true, run: pdsAdmin },
  { id: 'firehose-reachable', group: 'network', online: true, run: firehoseReachable },
  { id: 'plc-reachable', group: 'network', online: true, run: plcReachable },
  { id: 'labeler-document', group: 'labeler', online: true, run: labelerDocument },
]

const noPds = 'BLOBWATCH_PDS_URL is not set'

function describeServer(config: Config, signal: AbortSignal) {
  const base = config.pds?.address ?? ''
  return ask(new URL('/xrpc/com.atproto.server.describeServer', base), signal)
}

async function pdsReachable({ config, signal }: DoctorContext): Promise<Finding> {
  if (config.pds === undefined) return skip(noPds)
  const answer = await describeServer(config, signal)
  const { address } = config.pds
  if (answer.kind === 'silent')
    return fail(`${address} does not answer (${answer.why})`, `curl ${address}/xrpc/_health`)
  return answer.status === 200
    ? ok(`${address} answers`)
    : fail(
        `${address} answers ${answer.status}: is it a PDS?`,
        'set BLOBWATCH_PDS_ADDRESS to where the PDS itself listens',
      )
}

async function pdsRegistration({ config, signal }: DoctorContext): Promise<Finding> {
  if (config.pds === undefined) return skip(noPds)
  const answer = await describeServer(config, signal)
  if (answer.kind === 'silent' || answer.status !== 200) return unchecked('the PDS did not say')
  const { inviteCodeRequired } = (answer.body ?? {}) as { inviteCodeRequired?: unknown }
  return inviteCodeRequired === true
    ? ok('new accounts need an invite code')
    : warn('anybody can register an account', 'PDS_INVITE_REQUIRED=true in the settings of the PDS')
}

/** Read-only, about a blob that nobody has: any answer but "who are you" tells that the password is right. */
async function pdsAdmin({ config, signal }: DoctorContext): Promise<Finding> {
  if (config.pds === undefined) return skip(noPds)
  const { url, address, adminPassword } = config.pds
  if (adminPassword === undefined) {
    return note(
      'no admin password: takedowns are decided and wait',
      'set BLOBWATCH_PDS_ADMIN_PASSWORD_FILE',
    )
  }
  const port = createPdsTakedown({
    pair: { url, address },
    adminPassword,
    timeoutMs: checkLimits.networkMs,
  })
  const subject = {
    kind: 'blob' as const,
    did: `did:plc:${'a'.repeat(24)}`,
    blobCid: 'bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku',
  }
  try {
    await port.status(subject, signal)
    return ok('the admin password works')
  } catch (error) {
    if (error instanceof RefusedError && error.reason === 'bad-credentials') {
      return fail(
        'the PDS refuses the admin password',
        'compare BLOBWATCH_PDS_ADMIN_PASSWORD with PDS_ADMIN_PASSWORD of the PDS',
      )
    }
    if (error instanceof RefusedError && error.reason !== 'redirected')
      return ok('the admin password works')
    const reason =
      error instanceof RefusedError || error instanceof NotNowError ? error.reason : 'error'
    return unchecked(`the PDS did not say (${reason})`)
  }
}

async function firehoseReachable({ config, signal }: DoctorContext): Promise<Finding> {
  if (config.firehose === undefined) return skip('no firehose is followed')
  const url = `${config.firehose.url}/xrpc/com.atproto.sync.subscribeRepos`
  const isOpen = await opens(url, signal)
  return isOpen
    ? ok(`${config.firehose.url} streams`)
    : fail(
        `${config.firehose.url} does not open a stream`,
        'does the proxy in front of it pass WebSockets on?',
      )
}

function opens(url: string, signal: AbortSignal): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const socket = new WebSocket(url)
  socket.addEventListener('open', () => resolve(true))
  socket.addEventListener('error', () => resolve(false))
  AbortSignal.any([signal, AbortSignal.timeout(checkLimits.networkMs)]).addEventListener(
    'abort',
    () => resolve(false),
  )
  return promise.finally(() => socket.close())
}

async function plcReachable({ config, signal }: DoctorContext): Promise<Finding> {
  const answer = await ask(new URL('/_health', config.plcUrl), signal)
  return answer.kind === 'answered' && answer.status < 500
    ? ok(`${config.plcUrl} answers`)
    : fail(
        `${config.plcUrl} does not answer: hosts of accounts cannot be found`,
        `curl ${config.plcUrl}/_health`,
      )
}

async function labelerDocument({ config, signal }: DoctorContext): Promise<Finding> {
  if (config.labeler === undefined) return skip('no label key is configured')
  const { did } = config.labeler
  const answer = await ask(documentUrl(did, config.plcUrl), signal)
  if (answer.kind === 'silent' || answer.status !== 200) {
    return fail(
      `the DID document of ${did} cannot be read`,
      'is the public listener reached at that address?',
    )
  }
  const document = (answer.body ?? {}) as {
    verificationMethod?: { id?: string; publicKeyMultibase?: string }[]
    service?: { id?: string; serviceEndpoint?: string }[]
  }
  const key = document.verificationMethod?.find((one) => one.id?.endsWith('#atproto_label'))
  const service = document.service?.find((one) => one.id?.endsWith('#atproto_labeler'))
  const signer = await createLabelSigner(config.labeler)
  if (key === undefined)
    return fail('the DID document has no #atproto_label key', 'add our key to the DID document')
  if (`did:key:${key.publicKeyMultibase}` !== signer.keyDid) {
    return fail(
      'the DID document has another #atproto_label key than we sign with',
      `publish ${signer.keyDid}`,
    )
  }
  if (service === undefined)
    return fail(
      'the DID document has no #atproto_labeler service',
      'add it, with the public address as its endpoint',
    )
  if (config.publicUrl !== undefined && service.serviceEndpoint !== config.publicUrl) {
    return warn(
      `#atproto_labeler points to ${service.serviceEndpoint}, BLOBWATCH_PUBLIC_URL is ${config.publicUrl}`,
    )
  }
  return ok('the DID document has our key and #atproto_labeler')
}

function documentUrl(did: string, plcUrl: string): URL {
  if (!did.startsWith('did:web:')) return new URL(`/${did}`, plcUrl)
  const host = decodeURIComponent(did.slice('did:web:'.length))
  return new URL('/.well-known/did.json', `https://${host}`)
}
