/** One number a kind of leader; the same in every process on one database (docs/gotchas.md lists all). */
export const lockKeys = {
  ledger: 7310402817002,
  firehose: 7310402817003,
  importHma: 7310402817025,
} as const
