// Every limit of this room.

export const evidenceLimits = {
  /** Random bytes of an object's name. */
  nameBytes: 20,
  /** One age file: the largest blob that may be configured, its facts, and what age adds. */
  objectBytesMax: 1_100_000_000,
  /** The line of facts in front of the bytes, the record included. */
  headerBytesMax: 4 * 1024 * 1024,
  /** One request to the S3 service, from the first byte to the last. */
  s3TimeMs: 60_000,
  /** Of an S3 error: enough for its code. */
  s3ErrorBytesMax: 8 * 1024,
} as const
