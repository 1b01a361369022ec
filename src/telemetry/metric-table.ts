// Every metric by name, with the sentence that /metrics and the documentation show. Labels hold members of our own
// unions, and names of plug-ins (16 at most, from the settings): never a host, a DID, a bank or anything else that can
// grow or tell (promises 8 and 9).
// The first five are the figures the integration guide asks for: request volume, match rate, action rate,
// response time, error rate.
export type MetricSpec = {
  kind: 'counter' | 'gauge' | 'histogram'
  labels: readonly string[]
  help: string
}

export const metricTable = {
  blobwatch_requests_total: {
    kind: 'counter',
    labels: ['kind'],
    help: 'Request volume: finished requests by kind; kind="scan" is a blob that was hashed and matched.',
  },
  blobwatch_match_rate: {
    kind: 'gauge',
    labels: [],
    help: 'Match rate: share (0 to 1) of the scans of the last 5 minutes that matched a bank; absent without scans.',
  },
  blobwatch_action_rate: {
    kind: 'gauge',
    labels: [],
    help: 'Action rate: share (0 to 1) of the matches decided in the last 5 minutes that led to an action.',
  },
  blobwatch_response_time_seconds: {
    kind: 'histogram',
    labels: ['kind'],
    help: 'Response time: seconds from the start to the end of a request, by kind.',
  },
  blobwatch_error_rate: {
    kind: 'gauge',
    labels: [],
    help: 'Error rate: share (0 to 1) of the requests of the last 5 minutes that failed on our side.',
  },
  blobwatch_scans_total: {
    kind: 'counter',
    labels: ['verdict', 'reason'],
    help: 'Settled scans by verdict, and by reason where the verdict is unscannable.',
  },
  blobwatch_matches_total: {
    kind: 'counter',
    labels: ['signal_type'],
    help: 'Bank signals that a scanned blob matched, by type of signal.',
  },
  blobwatch_matches_set_aside_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Matches that did not count: the bank looks at a share of blobs only (ratio), or a bank of harmless pictures matches too (negative).',
  },
  blobwatch_low_quality_total: {
    kind: 'counter',
    labels: [],
    help: 'Settled scans of pictures that say too little for PDQ (quality under 50): compared by their digests alone.',
  },
  blobwatch_contents_held_total: {
    kind: 'counter',
    labels: [],
    help: 'Bank contents held because they matched more than they may; each has a case for a person.',
  },
  blobwatch_decisions_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Decisions about matched blobs by outcome.',
  },
  blobwatch_actions_total: {
    kind: 'counter',
    labels: ['kind', 'outcome'],
    help: 'Ended attempts at an action by kind and outcome (done, refused, retry).',
  },
  blobwatch_evidence_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Evidence asked for by decisions: kept, or missed because it could not be had within ten minutes.',
  },
  blobwatch_evidence_destroyed_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Destructions of copies of evidence by basis: clock, case-finished, case-released, case-overturned, authority.',
  },
  blobwatch_evidence_kept: {
    kind: 'gauge',
    labels: [],
    help: 'Pieces of evidence of which a copy is kept.',
  },
  blobwatch_evidence_overdue: {
    kind: 'gauge',
    labels: [],
    help: 'Pieces of evidence of which a copy should have been destroyed more than an hour ago, without a legal hold.',
  },
  blobwatch_exchange_fetches_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'Ended fetches from exchanges: up-to-date, more (an exchange of very many pages lets others have their turn), failed, held (it would delete too much).',
  },
  blobwatch_exchange_items_total: {
    kind: 'counter',
    labels: ['outcome'],
    help: 'What exchanges told: contents added and removed (a change is both), and signals and items left out, by reason.',
  },
  blobwatch_exchanges_failing: {
    kind: 'gauge',
    labels: [],
    help: 'Enabled exchanges whose last fetch failed or was held; `exchange list` says why.',
  },
  blobwatch_exchange_success_age_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'Of the enabled exchanges that were ever fetched, since when the one that waits longest was last fetched without a failure; 0 where there is none.',
  },
  blobwatch_errors_total: {
    kind: 'counter',
    labels: ['kind'],
    help: 'Failures on our side by kind of work.',
  },
  blobwatch_clock_ahead_seconds: {
    kind: 'gauge',
    labels: [],
    help: "How far this machine's clock is ahead of the database's, which is the one that counts; negative: behind.",
  },
  blobwatch_sightings_total: {
    kind: 'counter',
    labels: ['source'],
    help: 'Sightings made durable, by source.',
  },
  blobwatch_undecodable_total: {
    kind: 'counter',
    labels: ['source'],
    help: 'Frames kept because they could not be decoded, by source.',
  },
  blobwatch_decoder_restarts_total: {
    kind: 'counter',
    labels: ['reason'],
    help: 'Restarts of the sandboxed image decoder by reason.',
  },
  blobwatch_plugin_failures_total: {
    kind: 'counter',
    labels: ['plugin', 'reason'],
    help: 'Questions about a blob that a plug-in did not answer, by plug-in and reason (timeout, ended, memory, protocol, refused, resting, too-large).',
  },
  blobwatch_firehose_lag_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'Age of the newest event taken in from the firehose.',
  },
  blobwatch_firehose_seq: {
    kind: 'gauge',
    labels: [],
    help: 'Sequence number of the newest event taken in from the firehose.',
  },
  blobwatch_open_gaps: {
    kind: 'gauge',
    labels: [],
    help: 'Gaps in the event stream that no sweep has closed yet.',
  },
  blobwatch_backlog_jobs: { kind: 'gauge', labels: [], help: 'Blobs that wait for their scan.' },
  blobwatch_backlog_oldest_seconds: {
    kind: 'gauge',
    labels: [],
    help: 'How long the oldest waiting blob has waited.',
  },
  blobwatch_ledger_entries: { kind: 'gauge', labels: [], help: 'Entries in the ledger.' },
  blobwatch_actions_held: {
    kind: 'gauge',
    labels: [],
    help: 'Actions that wait for a person to decide.',
  },
  blobwatch_ledger_signed_entries: {
    kind: 'gauge',
    labels: [],
    help: 'Entries that the newest signed checkpoint covers. Behind blobwatch_ledger_entries for more than a minute: the signer is away or refuses.',
  },
  blobwatch_ledger_anchored_entries: {
    kind: 'gauge',
    labels: [],
    help: 'Entries that the newest checkpoint covers which enough witnesses, a record or a time stamp hold outside; absent until there is one.',
  },
  blobwatch_actions_dead: {
    kind: 'gauge',
    labels: [],
    help: 'Actions given up after the last attempt; each needs a person.',
  },
  blobwatch_label_subscribers: {
    kind: 'gauge',
    labels: [],
    help: 'Consumers connected to the label stream.',
  },
  blobwatch_index_signals: {
    kind: 'gauge',
    labels: ['signal_type'],
    help: 'Bank signals that a lookup is compared with, by type of signal.',
  },
  blobwatch_index_pending: {
    kind: 'gauge',
    labels: [],
    help: 'Bank signals added since the index was last rebuilt; each lookup is compared with every one of them.',
  },
  blobwatch_index_rebuilds_total: {
    kind: 'counter',
    labels: [],
    help: 'Rebuilds of the index, made beside the lookups.',
  },
  blobwatch_index_bytes: {
    kind: 'gauge',
    labels: [],
    help: "Bytes of this process's memory that the index takes.",
  },
  blobwatch_index_lag_generations: {
    kind: 'gauge',
    labels: [],
    help: 'Bank changes in the database that the index does not include yet.',
  },
  blobwatch_index_layout: {
    kind: 'gauge',
    labels: ['layout'],
    help: '1 for the layout in use: memory, or file (signals in a file, read through the page cache).',
  },
} as const satisfies Record<string, MetricSpec>

export type MetricName = keyof typeof metricTable
export type MetricOf<Kind extends MetricSpec['kind']> = {
  [Name in MetricName]: (typeof metricTable)[Name]['kind'] extends Kind ? Name : never
}[MetricName]

/** Seconds. From a match in memory to a fetch that ran into its limit. */
export const responseBuckets = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60]
