// A real PDS and a real PLC directory on loopback, from the protocol's own repository, for tests.
// They run in this process, in memory and a scratch folder; nothing here reaches the network.
import { AtpAgent } from '@atproto/api'
import type { BlobRef } from '@atproto/api'
import type { TestNetworkNoAppView } from '@atproto/dev-env'
import { inTime } from '../db/client.ts'
import { loopbackOnly } from './loopback-only.ts'

export const ADMIN_PASSWORD = 'admin-pass'

export type TestAccount = { did: string; handle: string; password: string; agent: AtpAgent }

export type TestPost = { uri: string; cid: string; blobCids: string[] }

export type TestNetwork = {
  pdsUrl: string
  plcUrl: string
  /** Basic authorization of the PDS admin. */
  adminAuthorization: string
  /** `alice` becomes alice.test. */
  createAccount: (name: string) => Promise<TestAccount>
  /** Waits until the PDS has written out what its accounts did. */
  settled: () => Promise<void>
  close: () => Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

const START_TIMEOUT_MS = 60_000
const CLOSE_TIMEOUT_MS = 15_000
const PASSWORD = 'correct-horse'

export async function startNetwork(): Promise<TestNetwork> {
  // Read when the packages load, so before the import.
  process.env['LOG_ENABLED'] = 'false'
  const { TestNetworkNoAppView } = await import('@atproto/dev-env')
  using _ = loopbackOnly()
  const network = await inTime(TestNetworkNoAppView.create({}), 'start a PDS', START_TIMEOUT_MS)
  const close = once(async () => {
    await inTime(network.close(), 'stop the PDS', CLOSE_TIMEOUT_MS)
  })
  return {
    pdsUrl: network.pds.url,
    plcUrl: network.plc.url,
    adminAuthorization: `Basic ${Buffer.from(`admin:${ADMIN_PASSWORD}`).toString('base64')}`,
    createAccount: (name) => createAccount(network, name),
    settled: () => network.processAll(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

export async function uploadPicture(
  { agent }: TestAccount,
  bytes: Uint8Array,
  encoding = 'image/jpeg',
): Promise<BlobRef> {
  const { data } = await agent.uploadBlob(bytes, { encoding })
  return data.blob
}

export async function postPictures(
  account: TestAccount,
  pictures: Uint8Array[],
): Promise<TestPost> {
  const blobs = await uploadAll(account, pictures)
  return await post(account, imagesEmbed(blobs), blobs)
}

/** Pictures beside a quoted post. */
export async function postRecordWithMedia(
  account: TestAccount,
  pictures: Uint8Array[],
  quoted: { uri: string; cid: string },
): Promise<TestPost> {
  const blobs = await uploadAll(account, pictures)
  const embed = {
    $type: 'app.bsky.embed.recordWithMedia',
    record: { $type: 'app.bsky.embed.record', record: { uri: quoted.uri, cid: quoted.cid } },
    media: imagesEmbed(blobs),
  }
  return await post(account, embed, blobs)
}

export async function postLinkCard(account: TestAccount, thumb: Uint8Array): Promise<TestPost> {
  const blobs = await uploadAll(account, [thumb])
  const external = {
    uri: 'https://example.com/',
    title: 'A page',
    description: '',
    thumb: blobs[0],
  }
  return await post(account, { $type: 'app.bsky.embed.external', external }, blobs)
}

export async function setAvatar(account: TestAccount, picture: Uint8Array): Promise<TestPost> {
  const avatar = await uploadPicture(account, picture)
  const record = { $type: 'app.bsky.actor.profile', displayName: account.handle, avatar }
  return await putRecord(account, 'app.bsky.actor.profile', record, [avatar], 'self')
}

/** A record of a lexicon that nobody knows, with its blob three levels down. */
export async function putUnknownRecord(
  account: TestAccount,
  picture: Uint8Array,
): Promise<TestPost> {
  const blob = await uploadPicture(account, picture)
  const record = { $type: 'com.example.gallery', rooms: [{ wall: { hung: [blob] } }] }
  return await putRecord(account, 'com.example.gallery', record, [blob])
}

async function createAccount(network: TestNetworkNoAppView, name: string): Promise<TestAccount> {
  const agent = new AtpAgent({ service: network.pds.url })
  const handle = `${name}.test`
  const { data } = await agent.createAccount({
    handle,
    email: `${name}@example.com`,
    password: PASSWORD,
  })
  return { did: data.did, handle, password: PASSWORD, agent }
}

async function uploadAll(account: TestAccount, pictures: Uint8Array[]): Promise<BlobRef[]> {
  return await Promise.all(pictures.map((bytes) => uploadPicture(account, bytes)))
}

function imagesEmbed(blobs: BlobRef[]) {
  const images = blobs.map((image) => ({ image, alt: 'a generated pattern' }))
  return { $type: 'app.bsky.embed.images', images }
}

async function post(account: TestAccount, embed: object, blobs: BlobRef[]): Promise<TestPost> {
  const createdAt = new Date().toISOString()
  const record = { $type: 'app.bsky.feed.post', text: 'a test', createdAt, embed }
  return await putRecord(account, 'app.bsky.feed.post', record, blobs)
}

async function putRecord(
  { agent, did }: TestAccount,
  collection: string,
  record: Record<string, unknown>,
  blobs: BlobRef[],
  rkey?: string,
): Promise<TestPost> {
  const place = { repo: did, collection, record, validate: false, ...(rkey && { rkey }) }
  const { data } = await agent.com.atproto.repo.createRecord(place)
  return { uri: data.uri, cid: data.cid, blobCids: blobs.map((blob) => blob.ref.toString()) }
}

/** Closing twice, by hand and by `await using`, closes once. */
function once(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined
  return () => (running ??= work())
}
