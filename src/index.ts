// The library: what `import … from 'blobwatch'` gives. Bytes to signals, and signals to matches, without a server, a
// database or a setting. Everything that is exported here is kept between minor versions; nothing else of the package is
// reachable (`exports` in package.json). The typed client of a running service is `blobwatch/client`.
//
//   await using hasher = await openHasher()
//   const known = await hasher.hash(await readFile('known.png'))
//   await using bank = await openMemoryBank([
//     { id: 'cat-1', type: 'sha256', value: known.signals.sha256 },
//     { id: 'cat-1', type: 'pdq', value: known.signals.pdq.hash },
//   ])
//   const matches = await bank.match((await hasher.hash(bytes)).signals)
export { hash, openHasher } from './library/hasher.ts'
export type { Hashed, HasherOptions, HashOptions, MediaHasher } from './library/hasher.ts'
export { openMemoryBank } from './library/memory-bank.ts'
export type {
  BankItem,
  ItemMatch,
  MemoryBank,
  MemoryBankOptions,
  NearerThan,
} from './library/memory-bank.ts'
export { pdqDistance } from './signals/pdq/distance.ts'
export { pdqQualityMin } from './domain/blob.ts'
export type {
  BlobCid,
  ContentReason,
  Hex,
  MediaKind,
  PdqVariant,
  Signals,
  SignalType,
} from './domain/blob.ts'
export type { Variant } from './domain/variant.ts'
export { blobCidOf } from './domain/cid.ts'
export { RetryableError } from './domain/errors.ts'
