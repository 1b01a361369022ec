// How places and blobs are written for machines: at:// addresses and CIDs.
import { blobCidOf } from '../domain/cid.ts'
import type { MatchRow, Place } from './about.ts'
import type { BlobRow } from './case-file.ts'

/** `at://did/collection/rkey`; an upload without a record is its account. */
export function uriOf(place: Place): string {
  const who = place.did ?? `(erased account ${place.account})`
  if (place.collection === null || place.rkey === null)
    return place.did === null ? who : `at://${who}`
  return `at://${who}/${place.collection}/${place.rkey}`
}

/** For --json: the address and the CID instead of the parts they are made of. */
export function forMachines<Row extends Place & { cid: string | null }>(row: Row) {
  const { did, account, collection, rkey, cid, ...rest } = row
  return {
    uri: uriOf({ did, account, collection, rkey }),
    ...(cid !== null && { cid: blobCidOf(cid) }),
    ...rest,
  }
}

export function blobForMachines(row: BlobRow) {
  const { cid, ...rest } = row
  return { cid: blobCidOf(cid), ...rest }
}

export function matchForMachines(row: MatchRow) {
  const { cid, ...rest } = row
  return { cid: blobCidOf(cid), ...rest }
}
