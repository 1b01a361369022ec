// HMA's shapes (version 1.1), as its API writes them. A value of a low-quality picture is an empty string.

/** By signal type: `{ pdq: '<64 hex>' }`. */
export type HmaHashes = Record<string, string>

/** `distance` is text whose form depends on the type: `4` for PDQ, `-` for digests. */
export type HmaMatch = { bank_content_id: number; distance: string }
export type HmaMatchesByBank = Record<string, HmaMatch[]>
export type HmaMatchesByType = Record<string, HmaMatchesByBank>

export type HmaIndexStatus = Record<string, { present: boolean; built_to: number; size: number }>

export type HmaBank = { name: string; matching_enabled_ratio: number }

export type HmaContentMetadata = {
  content_id?: string | null
  content_uri?: string | null
  json?: unknown
}
export type HmaContent = {
  id: number
  /** 0 disabled, 1 enabled, else disabled until that unix second. */
  disable_until_ts: number
  original_media_uri: string | null
  bank: HmaBank
  signals?: HmaHashes
  metadata?: HmaContentMetadata & { collab?: unknown }
  note?: string
}
export type HmaAddedContent = { id: number; signals: HmaHashes }

export type HmaExchangeStatus = {
  checkpoint_ts: number | null
  running_fetch_start_ts: number | null
  last_fetch_complete_ts: number | null
  last_fetch_succeeded: boolean | null
  up_to_date: boolean | null
  fetched_items: number | null
}

/** The answer of /status in words; `not-loaded` and `stale` come with 503 and are no errors here. */
export type HmaState = 'alive' | 'not-loaded' | 'stale'
