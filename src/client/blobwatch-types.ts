// What /api/v1 takes and gives. Names on the wire are the API's, so that its OpenAPI document reads the same.

/** A file of a browser, a Blob, or plain bytes. */
export type Upload = Blob | Uint8Array<ArrayBuffer>

export type HashAnswer = {
  /** `quality` (0 to 100) stands with perceptual hashes only. */
  hashes: { algorithm: string; hash_value: string; quality?: number }[]
  media: 'image' | 'video' | 'other'
  format: string
  /** CIDv1, raw, sha2-256. */
  cid: string
  /** Why the bytes were not looked at in full; such bytes are never known to be clear. */
  unscannable?: string
}

export type MatchQuestion = {
  hash_type: string
  /** Lowercase hex. */
  hash_value: string
  /** Least similarity that counts, 0 to 1; nearer than the banks allow, never farther. */
  threshold?: number
}

export type MatchAnswer = {
  match_count: number
  matches: {
    match_id: string | number
    bank_name: string
    /** Bits that differ. */
    distance?: number
    similarity?: number
  }[]
}

export type ActionRequest = {
  /** Yours. The same id sent twice is one action, so this call is tried again where it failed on the way. */
  action_id: string
  action_type: string
  content_id: string
  match_info?: Record<string, unknown>
}
export type ActionAnswer = { action_id: string; status?: string } & Record<string, unknown>

export type ReportRequest = { contentId: string; imageUrl: string; reportReason: string }
export type ReportAnswer = { action: 'received'; report_id: string | number }

export type BlobName = { did: string; cid: string }
export type BlobState = BlobName & { state: 'show' | 'hide' | 'blur' | 'unscanned' | 'unscannable' }
export type BlobChange = BlobState & {
  /** Where to go on: `changes({ after })`. */
  position: string | undefined
}
