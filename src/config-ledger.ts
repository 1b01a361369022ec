// What of the settings is about the ledger's signer and those who hold its heads. Pure, like config.ts.
import { parsePolicy } from './ledger/note/policy.ts'
import type { Policy } from './ledger/note/policy.ts'
import { isKeyName } from './ledger/note/key.ts'
import { parseSignerKey } from './ledger/note/signer-key.ts'

export type LedgerConfig = {
  /** Path of the signer's socket; undefined: the signer is in this process. */
  signerSocket: string | undefined
  /** Text of the private key; undefined: `ledger.key` in the data folder. */
  signerKey: string | undefined
  policy: Policy | undefined
  /** The account whose repository keeps a record of our heads. `did`: or its handle. */
  record: { pdsUrl: string; did: string; password: string } | undefined
  tsaUrl: string | undefined
}

type LedgerSetting =
  | 'BLOBWATCH_LEDGER_SIGNER'
  | 'BLOBWATCH_LEDGER_KEY'
  | 'BLOBWATCH_LEDGER_POLICY'
  | 'BLOBWATCH_LEDGER_RECORD_PDS_URL'
  | 'BLOBWATCH_LEDGER_RECORD_DID'
  | 'BLOBWATCH_LEDGER_RECORD_PASSWORD'
  | 'BLOBWATCH_LEDGER_TSA_URL'
  | 'BLOBWATCH_LOG_NAME'

type Read = {
  text(name: LedgerSetting): string | undefined
  origin(name: LedgerSetting, schemes: string[]): string | undefined
}

/** Problems are pushed, one a line, never with a secret in them. */
export function readLedgerConfig(read: Read, problems: string[]): LedgerConfig {
  const logName = read.text('BLOBWATCH_LOG_NAME')
  if (logName !== undefined && !isKeyName(logName))
    problems.push('BLOBWATCH_LOG_NAME has no spaces and no plus: it is also the name of a key')
  const signerSocket = read.text('BLOBWATCH_LEDGER_SIGNER')
  if (signerSocket !== undefined && !signerSocket.startsWith('/'))
    problems.push('BLOBWATCH_LEDGER_SIGNER is the whole path of a socket, like /run/blobwatch/sign')
  const signerKey = read.text('BLOBWATCH_LEDGER_KEY')
  if (signerKey !== undefined) problems.push(...keyProblems(signerKey, signerSocket))
  return {
    signerSocket,
    signerKey,
    policy: readPolicy(read.text('BLOBWATCH_LEDGER_POLICY'), problems),
    record: readRecord(read, problems),
    tsaUrl: readAddress(
      read.text('BLOBWATCH_LEDGER_TSA_URL'),
      'BLOBWATCH_LEDGER_TSA_URL',
      problems,
    ),
  }
}

function keyProblems(text: string, signerSocket: string | undefined): string[] {
  if (signerSocket !== undefined)
    return ['BLOBWATCH_LEDGER_KEY belongs to the signer alone when BLOBWATCH_LEDGER_SIGNER is set']
  const key = parseSignerKey(text)
  if (typeof key === 'string') return [`BLOBWATCH_LEDGER_KEY: ${key}`]
  return key.verifier.type === 'log' ? [] : ['BLOBWATCH_LEDGER_KEY is the key of a witness']
}

function readPolicy(text: string | undefined, problems: string[]): Policy | undefined {
  if (text === undefined) return undefined
  const policy = parsePolicy(text)
  if ('problems' in policy) {
    problems.push(...policy.problems.map((line) => `BLOBWATCH_LEDGER_POLICY: ${line}`))
    return undefined
  }
  for (const { name, url } of policy.witnesses)
    readAddress(url, `BLOBWATCH_LEDGER_POLICY: witness ${name}`, problems)
  return policy
}

function readRecord(read: Read, problems: string[]): LedgerConfig['record'] {
  const pdsUrl = read.origin('BLOBWATCH_LEDGER_RECORD_PDS_URL', ['https:', 'http:'])
  const did = read.text('BLOBWATCH_LEDGER_RECORD_DID')
  const password = read.text('BLOBWATCH_LEDGER_RECORD_PASSWORD')
  if (pdsUrl !== undefined && did !== undefined && password !== undefined)
    return { pdsUrl, did, password }
  if (
    read.text('BLOBWATCH_LEDGER_RECORD_PDS_URL') !== undefined ||
    did !== undefined ||
    password !== undefined
  )
    problems.push(
      'BLOBWATCH_LEDGER_RECORD_PDS_URL, BLOBWATCH_LEDGER_RECORD_DID and BLOBWATCH_LEDGER_RECORD_PASSWORD belong together: set all or none',
    )
  return undefined
}

/** An address may have a path here, but no user in it. */
function readAddress(
  text: string | undefined,
  name: string,
  problems: string[],
): string | undefined {
  if (text === undefined) return undefined
  const url = URL.parse(text)
  const isHttp = url?.protocol === 'https:' || url?.protocol === 'http:'
  if (url === null || !isHttp || url.username !== '' || url.search !== '' || url.hash !== '') {
    problems.push(`${name} is an address like https://host/path`)
    return undefined
  }
  return text
}
