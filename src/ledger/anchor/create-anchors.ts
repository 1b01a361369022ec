// Everybody outside who is to hold our heads, as the settings name them.
import type { Policy } from '../note/policy.ts'
import type { Anchor } from './anchor.ts'
import { createRecordAnchor } from './record.ts'
import { createTimestampAnchor } from './timestamp.ts'
import { createWitnessAnchor } from './witness-client.ts'

export type AnchorSettings = {
  policy: Policy | undefined
  record: { pdsUrl: string; did: string; password: string } | undefined
  tsaUrl: string | undefined
}

/**
 * Witnesses in the policy's order, then the record, then time stamps. A witness without an address in the policy is
 * trusted where its cosignature comes from elsewhere, and not asked. `verifierKey`: the log's own, from its signer.
 */
export function createAnchors(
  settings: AnchorSettings,
  options: { verifierKey: (origin: string) => Promise<string>; nowMs: () => number },
): Anchor[] {
  const anchors: Anchor[] = []
  for (const { name, key, url } of settings.policy?.witnesses ?? [])
    if (url !== undefined) anchors.push(createWitnessAnchor({ name, key, url }))
  if (settings.record !== undefined)
    anchors.push(createRecordAnchor({ account: settings.record, ...options }))
  if (settings.tsaUrl !== undefined)
    anchors.push(createTimestampAnchor({ url: settings.tsaUrl, nowMs: options.nowMs }))
  return anchors
}
