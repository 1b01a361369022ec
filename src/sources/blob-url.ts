// Addresses that name the blob they lead to. Only the names are taken from them: the bytes come from the account's own host.
import { parseCidSafe } from '@atproto/lex-data'
import { isValidDid } from '@atproto/syntax'
import type { BlobCid, Did } from '../domain/blob.ts'

const getBlobPath = '/xrpc/com.atproto.sync.getBlob'
const cdnHost = 'cdn.bsky.app'
/** `/img/{preset}/plain/{did}/{cid}@jpeg`; the CID is the original's, not that of the resized bytes there. */
const cdnPath = /^\/img\/[^/]+\/plain\/(?<did>[^/]+)\/(?<cid>[^/@]+)(?:@[a-z0-9]+)?$/

/** From any host's getBlob address, or the Bluesky image CDN's; undefined for every other address. */
export function blobOfUrl(url: URL): { did: Did; cid: BlobCid } | undefined {
  if (url.pathname === getBlobPath) {
    return named(url.searchParams.get('did') ?? '', url.searchParams.get('cid') ?? '')
  }
  if (url.hostname !== cdnHost) return undefined
  const { did = '', cid = '' } = cdnPath.exec(url.pathname)?.groups ?? {}
  return named(did.replaceAll(/%3A/gi, ':'), cid)
}

function named(did: string, text: string): { did: Did; cid: BlobCid } | undefined {
  const cid = parseCidSafe(text)?.toString()
  return cid !== undefined && isValidDid(did) ? { did, cid } : undefined
}
