// What /api/v1 takes and gives. Names on the wire are the API's, so that its OpenAPI document reads the same.

/** A file of a browser, a Blob, or plain bytes. */
export type Upload = Blob | Uint8Array<ArrayBuffer>

export type SignalTypeName =
  | 'sha256'
  | 'md5'
  | 'sha1'
  | 'pdq'
  | 'clip'
  /** Of a plug-in that the server has. */
  | (string & {})

export type HashAnswer = {
  /** PDQ first where there is one. `quality` (0 to 100) stands with it; under 50 it is not compared. */
  hashes: {
    algorithm: SignalTypeName
    hash_value: string
    quality?: number
  }[]
  media: 'image' | 'video' | 'other'
  /** For people: `jpeg`, `png`, `mp4`. */
  format: string
  /** Size of the file. */
  bytes: number
  /** CIDv1, raw, sha2-256. */
  cid: string
  /** Why the bytes were not looked at in full; such bytes are never known to be clear. */
  unscannable?: string
}

export type Hash = {
  hash_type: SignalTypeName
  /** Hexadecimal. */
  hash_value: string
  /** Of PDQ, as /hash gave it. */
  quality?: number
}

export type MatchChoice = {
  /** 0 to 1; nearer than the banks allow, never farther. Exact types ignore it. */
  threshold?: number
  /** Only these. */
  banks?: string[]
}

export type Match = {
  /** What /action asks for; kept for 30 days. */
  match_id: string
  /** `restricted` where the key may not know which. */
  bank_name: string
  hash_type: SignalTypeName
  /** Its number in the bank, where the bank is named. */
  content?: number
  /** Bits that differ, for keys with match:distance. */
  distance?: number
  /** 1 - distance / bits, for the same keys. */
  similarity?: number
}

/** `matches` has the first of them; `match_count` counts all. */
export type MatchAnswer = { match_count: number; matches: Match[] }

/** `id` comes back with the answer. */
export type BatchHash = Hash & { id?: string | number }
/** `error`: this one was not looked up, and why; `not-now` may be asked again. */
export type BatchAnswer = MatchAnswer & { id?: string | number; error?: string }

export type ActionType = 'takedown' | 'review' | 'report_ncmec'
export type ActionRequest = {
  /** Yours. The same id with the same words is one request, so this call is tried again where it failed on the way. */
  action_id: string
  action_type: ActionType
  /** at:// address of a record, did/cid, the CID of a blob that was seen, or the content_id of a webhook. */
  content_id: string
  /** A match as /match told it. Not needed for a review. */
  match_info?: { match_id: string } & Record<string, unknown>
}
export type ActionAccepted = {
  action_id: string
  action_type: ActionType
  status: 'accepted'
  /** `requested`: our own scan decides. `review-opened`, `draft-opened`: a person has a case, and nothing was reported to anybody. */
  result: 'requested' | 'review-opened' | 'draft-opened'
  /** What a person decides. */
  case?: number
  /** Where `actionState` asks. */
  status_url: string
}
export type ActionBatchAnswer = {
  action_id: string
  /** `refused`: see `detail` and `code`. `not-now`: send this one again. */
  status: 'accepted' | 'refused' | 'not-now'
  accepted?: ActionAccepted
  detail?: string
  code?: string
}
export type ActionStatus =
  'accepted' | 'held' | 'acted' | 'failed' | 'released' | 'observed' | 'unscannable' | 'not-matched'
export type ActionState = {
  action_id: string
  action_type: ActionType
  /** ISO 8601, UTC. */
  requested_at: string
  /** Of all places together. */
  status: ActionStatus
  case?: number
  places: {
    cid: string
    /** collection/rkey */
    record?: string
    status: ActionStatus
    reason?: string
    case?: number
  }[]
}

export type ReportRequest = {
  /** What the reporter looks at: an at:// address, did/cid, or a name of yours. */
  contentId: string
  /** Where it names an account, the picture is scanned. */
  imageUrl?: string
  /** 2,000 characters at most. */
  reportReason: string
}
/** The same for every report, whatever is known. */
export type ReportAnswer = { action: 'received'; report_id: string }

export type BlobName = { did: string; cid: string }
export type BlobState = BlobName & {
  state: 'show' | 'hide' | 'blur' | 'unscanned' | 'unscannable'
  /** Why, in one word; docs/appview.md lists them. */
  reason?: string
  /** ISO 8601, UTC. */
  since?: string
}
/** Without a `did`: every account that has no change of its own. */
export type BlobChange = Omit<BlobState, 'did'> & {
  did?: string
  /** Where to go on: `changes({ after })`. */
  position: string
}

export type Status = {
  service: 'blobwatch'
  version: string
  healthy: boolean
  components: Record<string, { healthy: boolean; note?: string }>
} & Record<string, unknown>

/** Of one process. Rates are of the last 5 minutes, 0 to 1; null: there was nothing. */
export type Metrics = {
  request_volume: { total: number; by_kind: Record<string, number> }
  match_rate: number | null
  action_rate: number | null
  error_rate: number | null
  response_time: Record<string, { count: number; mean_ms: number; p95_ms_max: number | null }>
}
