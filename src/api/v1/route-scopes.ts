// Which scopes open which route, for the OpenAPI document. The routes themselves ask for them (`needs`), and
// src/api/scopes.test.ts tries every one with every scope.
import type { KeyScope } from '../../cases/api-keys.ts'

/** One of each inner list. None: any good key. */
export const routeScopes: Record<string, readonly (readonly KeyScope[])[]> = {
  'get /status': [],
  'get /status/metrics': [['scan', 'match:read', 'act', 'ledger:read']],
  'post /webhook/hma-callback': [],
  'post /hash': [['scan']],
  'post /hash/url': [['scan']],
  'post /match': [['match:read']],
  'post /match/batch': [['match:read']],
  'post /action': [['act']],
  'post /action/batch': [['act']],
  'get /action/{action_id}': [['act']],
  'post /report': [['report']],
  'get /blobs/{did}/{cid}': [['blob:read']],
  'get /blobs/changes': [['blob:read']],
  'post /blobs': [['blob:read']],
  'get /cases': [['case:read']],
  'get /cases/{id}': [['case:read']],
  'post /cases/{id}/confirm': [['case:decide']],
  'post /cases/{id}/release': [['case:decide']],
  'post /cases/{id}/overturn': [['case:decide']],
  'post /cases/{id}/note': [['case:decide']],
  'post /cases/{id}/appeal': [['case:decide']],
  'post /cases/{id}/appeals/{appeal}/resolve': [['case:decide']],
  'get /holds': [['case:read']],
  'post /holds/{action}/retry': [['case:decide']],
  'get /banks': [['bank:read']],
  'post /banks': [['bank:write']],
  'get /banks/{name}': [['bank:read']],
  'patch /banks/{name}': [['bank:write']],
  'get /banks/{name}/contents': [['bank:read']],
  'post /banks/{name}/contents': [['bank:write']],
  'patch /banks/{name}/contents/{id}': [['bank:write']],
  'delete /banks/{name}/contents/{id}': [['bank:write']],
  'get /ledger': [['ledger:read']],
  'get /ledger/checkpoint': [['ledger:read']],
  'get /ledger/{seq}': [['ledger:read']],
  'get /ledger/{seq}/proof': [['ledger:read']],
  'get /explain/blobs/{did}/{cid}': [['case:read'], ['bank:read'], ['match:distance']],
  'get /explain/contents/{id}': [['case:read'], ['bank:read'], ['match:distance']],
  'get /explain/cases/{id}': [['case:read'], ['bank:read'], ['match:distance']],
  'get /explain/pair': [['case:read'], ['bank:read'], ['match:distance']],
}

/** What is a person's word whatever is in it (promise 7). */
export const personRoutes: ReadonlySet<string> = new Set([
  'post /cases/{id}/confirm',
  'post /cases/{id}/release',
  'post /cases/{id}/overturn',
  'post /cases/{id}/note',
  'post /cases/{id}/appeals/{appeal}/resolve',
  'post /holds/{action}/retry',
])
