// What people do on the PDS: open accounts, upload pictures, post them in every kind of record.
import type * as Testing from '../../testing/network.ts'
import type { TestAccount, TestPost } from '../../testing/network.ts'
import type { World } from './world.ts'

/** One picture somewhere: its record and its blob. */
export type Posted = { did: string; handle: string; uri: string; blob: string }

export type Kind = 'post' | 'avatar' | 'link card' | 'recordWithMedia' | 'unknown collection'

/** By a new account each: a PDS refuses the upload of a blob that was taken down in that account before. */
export async function postAs(
  world: World,
  name: string,
  kind: Kind,
  picture: Uint8Array,
): Promise<Posted> {
  const testing = await import('../../testing/network.ts')
  const account = await world.network.createAccount(name)
  const { uri, blobCids } = await put(testing, account, kind, picture)
  const [blob = ''] = blobCids.slice(-1)
  return { did: account.did, handle: account.handle, uri, blob }
}

async function put(
  testing: typeof Testing,
  account: TestAccount,
  kind: Kind,
  picture: Uint8Array,
): Promise<TestPost> {
  switch (kind) {
    case 'post':
      return await testing.postPictures(account, [picture])
    case 'avatar':
      return await testing.setAvatar(account, picture)
    case 'link card':
      return await testing.postLinkCard(account, picture)
    case 'recordWithMedia': {
      const quoted = await testing.postPictures(account, [])
      return await testing.postRecordWithMedia(account, [picture], quoted)
    }
    case 'unknown collection':
      return await testing.putUnknownRecord(account, picture)
    default:
      throw new TypeError(`unknown kind ${String(kind satisfies never)}`)
  }
}

export type Upload = { did: string; handle: string; blob: string; publish: () => Promise<string> }

/** Uploaded and in no record yet. `publish` tries to post it: `posted`, or what the PDS says against it. */
export async function uploadAs(world: World, name: string, picture: Uint8Array): Promise<Upload> {
  const { uploadPicture } = await import('../../testing/network.ts')
  const account = await world.network.createAccount(name)
  const image = await uploadPicture(account, picture)
  const record = {
    $type: 'app.bsky.feed.post',
    text: 'a test',
    createdAt: new Date().toISOString(),
    embed: { $type: 'app.bsky.embed.images', images: [{ image, alt: 'a generated pattern' }] },
  }
  const publish = async () => {
    try {
      await account.agent.com.atproto.repo.createRecord({
        repo: account.did,
        collection: 'app.bsky.feed.post',
        record,
      })
      return 'posted'
    } catch (error) {
      return error instanceof Error && 'error' in error ? String(error.error) : String(error)
    }
  }
  return { did: account.did, handle: account.handle, blob: image.ref.toString(), publish }
}
