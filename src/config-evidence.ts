// The settings of the evidence vault: many that only mean something together. A part of config.ts.

export const evidenceSettings = {
  BLOBWATCH_EVIDENCE_RECIPIENTS: {
    help: 'Evidence vault: age recipients (age1…, with commas) whose identities lie offline. The sealed copy, kept a year, is for them alone. The vault is set whole (recipients, service recipient, and a folder or S3) or not at all.',
  },
  BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT: {
    help: 'The age recipient of the working copy, kept 30 days at most; "evidence keygen" makes it.',
  },
  BLOBWATCH_EVIDENCE_SERVICE_KEY: {
    secret: true,
    help: 'The identity to it (AGE-SECRET-KEY-1…), for "evidence open" only. The running service does not need it: do not give it to serve.',
  },
  BLOBWATCH_EVIDENCE_DIR: {
    help: 'Folder for evidence, made when it is missing; in place of S3.',
  },
  BLOBWATCH_EVIDENCE_S3_URL: {
    help: 'Address of an S3 service (https://s3.example.com) for evidence; in place of a folder. The bucket is a part of the path.',
  },
  BLOBWATCH_EVIDENCE_S3_BUCKET: { help: 'Its bucket.' },
  BLOBWATCH_EVIDENCE_S3_REGION: { help: 'Its region, for example eu-central-1.' },
  BLOBWATCH_EVIDENCE_S3_KEY_ID: { help: 'The access key id.' },
  BLOBWATCH_EVIDENCE_S3_SECRET: { secret: true, help: 'The secret access key.' },
} as const

type EvidenceSetting = keyof typeof evidenceSettings

type Reader = {
  text(name: EvidenceSetting): string | undefined
  origin(name: EvidenceSetting, schemes: string[]): string | undefined
}

export type EvidenceConfig = {
  /** age1…; each opens the sealed copy alone. */
  recipients: string[]
  serviceRecipient: string
  /** Absent in the service itself. */
  serviceKey: string | undefined
  store:
    | { kind: 'disk'; dir: string }
    | { kind: 's3'; url: string; bucket: string; region: string; keyId: string; secret: string }
}

const evidenceS3 = [
  'BLOBWATCH_EVIDENCE_S3_URL',
  'BLOBWATCH_EVIDENCE_S3_BUCKET',
  'BLOBWATCH_EVIDENCE_S3_REGION',
  'BLOBWATCH_EVIDENCE_S3_KEY_ID',
  'BLOBWATCH_EVIDENCE_S3_SECRET',
] as const
const recipientsMax = 20

/** The vault whole, or undefined: half a vault would let a bank act and keep nothing. */
export function readEvidence(read: Reader, problems: string[]): EvidenceConfig | undefined {
  const recipients = (read.text('BLOBWATCH_EVIDENCE_RECIPIENTS') ?? '')
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)
  const serviceRecipient = read.text('BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT')
  const serviceKey = read.text('BLOBWATCH_EVIDENCE_SERVICE_KEY')
  const dir = read.text('BLOBWATCH_EVIDENCE_DIR')
  const s3 = evidenceS3.map((name) => read.text(name))
  const before = problems.length
  const hasS3 = s3.some((value) => value !== undefined)
  const url = read.origin('BLOBWATCH_EVIDENCE_S3_URL', ['https:', 'http:'])
  const isNone = [serviceRecipient, serviceKey, dir].every((value) => value === undefined)
  if (isNone && !hasS3 && recipients.length === 0) return undefined

  if (recipients.length === 0) problems.push(missing('BLOBWATCH_EVIDENCE_RECIPIENTS'))
  if (serviceRecipient === undefined) problems.push(missing('BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT'))
  if (dir === undefined && !hasS3)
    problems.push(missing('BLOBWATCH_EVIDENCE_DIR or BLOBWATCH_EVIDENCE_S3_URL'))
  if (dir !== undefined && hasS3)
    problems.push('BLOBWATCH_EVIDENCE_DIR and BLOBWATCH_EVIDENCE_S3_… are two places: set one')
  if (hasS3)
    for (const [i, name] of evidenceS3.entries())
      if (s3[i] === undefined) problems.push(missing(name))
  problems.push(...keyProblems({ recipients, serviceRecipient, serviceKey, bucket: s3[1] }))
  if (problems.length > before || serviceRecipient === undefined) return undefined
  const [, bucket = '', region = '', keyId = '', secret = ''] = s3
  const store =
    dir === undefined
      ? { kind: 's3' as const, url: url ?? '', bucket, region, keyId, secret }
      : { kind: 'disk' as const, dir }
  const identity = serviceKey === undefined ? undefined : identityLine(serviceKey)
  return { recipients, serviceRecipient, serviceKey: identity, store }
}

function missing(name: string): string {
  return `the evidence vault is set only in part: ${name} is missing. Set it whole or not at all`
}

function keyProblems(given: {
  recipients: string[]
  serviceRecipient: string | undefined
  serviceKey: string | undefined
  bucket: string | undefined
}): string[] {
  const { recipients, serviceRecipient, serviceKey, bucket } = given
  const problems: string[] = []
  const isRecipient = (text: string) => /^age1[02-9ac-hj-np-z]{58}$/.test(text)
  if (!recipients.every(isRecipient))
    problems.push(
      'BLOBWATCH_EVIDENCE_RECIPIENTS has age recipients (age1 and 58 letters or digits), with commas between them',
    )
  if (recipients.length > recipientsMax)
    problems.push(`BLOBWATCH_EVIDENCE_RECIPIENTS has ${recipientsMax} recipients at most`)
  if (serviceRecipient !== undefined && !isRecipient(serviceRecipient))
    problems.push('BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT is one age recipient (age1…)')
  if (serviceRecipient !== undefined && recipients.includes(serviceRecipient))
    problems.push(
      'BLOBWATCH_EVIDENCE_SERVICE_RECIPIENT may not be among BLOBWATCH_EVIDENCE_RECIPIENTS: the service would read sealed copies',
    )
  if (serviceKey !== undefined && identityLine(serviceKey) === undefined)
    problems.push('BLOBWATCH_EVIDENCE_SERVICE_KEY is one age identity (AGE-SECRET-KEY-1…)')
  if (bucket !== undefined && !/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
    problems.push(
      'BLOBWATCH_EVIDENCE_S3_BUCKET is 3 to 63 lower case letters, digits, dots and hyphens',
    )
  return problems
}

/** The one identity of an identity file as age-keygen writes it, whose other lines are comments. */
function identityLine(text: string): string | undefined {
  const lines = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
  const [line] = lines
  return lines.length === 1 &&
    line !== undefined &&
    /^AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}$/.test(line)
    ? line
    : undefined
}
