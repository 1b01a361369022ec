// The typed client: `import … from 'blobwatch/client'`. It talks to Blobwatch's /api/v1 and to HMA's API.
//
// Promises: runs wherever `fetch` does (Node 20 and newer, browsers, edge workers); imports nothing but its own folder. A
// key goes to the configured address only: redirects are refused. Every answer has limits of time and bytes.
// Only what may be asked twice is asked again: see `send` in request.ts.
//
//   const client = blobwatchClient({ baseUrl: 'http://127.0.0.1:2596', key })
//   const { matches } = await client.match({ hash_type: 'pdq', hash_value })
//
//   const hma = hmaClient({ baseUrl: 'http://127.0.0.1:5100' })
//   const { pdq } = await hma.hashFile('photo', file)
export { blobwatchClient } from './blobwatch.ts'
export type { BlobwatchClient } from './blobwatch.ts'
export { hmaClient } from './hma.ts'
export type { HmaClient } from './hma.ts'
export { ApiError, ConnectionError } from './errors.ts'
export type { Problem } from './errors.ts'
export type { CallOptions, ClientOptions } from './request.ts'
export type * from './blobwatch-types.ts'
export type * from './hma-types.ts'
