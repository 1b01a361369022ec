// Every limit of this room, with its one home. Tests and operators hand in other numbers; nothing here is "unlimited".

/** Times in milliseconds, sizes in bytes. */
export type FetchLimits = typeof fetchLimits

export const fetchLimits = {
  /** Decoded bytes of one blob. 52,428,800 is what Bluesky's own hosts store at most. */
  blobBytesMax: 50 * 1024 * 1024,
  /** Bodies being read at one time, all hosts together: 32 sockets of 50 MiB would end a small VM. */
  bytesInFlightMax: 256 * 1024 * 1024,
  errorBytesMax: 8 * 1024,
  carBytesMax: 2 * 1024 * 1024,
  documentBytesMax: 64 * 1024,

  /** The whole exchange, redirects included, from the first dial to the last byte. */
  totalTimeMs: 60_000,
  headerTimeMs: 10_000,
  /** Fewer bytes than this in any window is a host that holds our sockets open: 1 KiB/s over 10 s. */
  throughputBytesMin: 10 * 1024,
  throughputWindowMs: 10_000,
  redirectsMax: 3,

  socketsPerHost: 4,
  socketsMax: 32,
  /** Hosts that are not known yet share these, so that slow strangers never starve the hosts we know. */
  socketsForStrangers: 16,
  /** Good answers in a row that make a host known. Only known hosts keep idle connections. */
  knownAfterAnswers: 20,
  socketWaitMs: 10_000,

  /** The reference PDS lets one address ask 3,000 times in 5 minutes. */
  requestsPerSecond: 10,
  /** Of the host that the operator named: its own limit, if it has one, answers 429 and is kept. */
  trustedRequestsPerSecond: 50,
  /** A shorter wait for the budget is waited for in place; a longer one is `deferred`. */
  budgetWaitMs: 1_000,

  failuresMax: 5,
  breakMs: 30_000,
  hostsMax: 10_000,

  /** Floors for `untilMs`. The queue's own back-off goes on top. */
  retryAfterMs: 5_000,
  /** A host may not silence us for longer by its Retry-After: that would be a way to evade scanning. */
  retryAfterMsMax: 15 * 60_000,
}

export function withDefaults(limits: Partial<FetchLimits> = {}): FetchLimits {
  return { ...fetchLimits, ...limits }
}
