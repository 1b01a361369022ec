// What the PDS itself says: the demo believes nothing that only Blobwatch told it.
import { waitFor } from './wait.ts'
import type { World } from './world.ts'

export type Takedown = { applied: boolean; ref: string }

const ANSWER_MS = 5_000

/** The PDS's own record of a takedown. `subject`: a record's AT URI, or an account and a blob. */
export async function takedownOf(
  world: World,
  subject: { uri: string } | { did: string; blob: string },
): Promise<Takedown> {
  const answer = await ask(world, 'com.atproto.admin.getSubjectStatus', subject, {
    authorization: world.network.adminAuthorization,
  })
  if (!answer.ok) return { applied: false, ref: '' }
  const { takedown } = (await answer.json()) as { takedown?: { applied: boolean; ref?: string } }
  return { applied: takedown?.applied === true, ref: takedown?.ref ?? '' }
}

/** Waits for the takedown of a blob: cheaper to ask than Blobwatch, and the answer that counts. */
export async function takenDown(
  world: World,
  { did, blob }: { did: string; blob: string },
): Promise<Takedown> {
  return await waitFor(
    'the takedown on the PDS',
    async () => {
      const takedown = await takedownOf(world, { did, blob })
      return takedown.applied ? takedown : undefined
    },
    world,
  )
}

export function takedownText({ applied, ref }: Takedown): string {
  // The deployment's id in the middle is long and tells a reader nothing.
  return applied ? `taken down (ref ${ref.replace(/:(\w{8})[\w-]*:/, ':$1…:')})` : 'not taken down'
}

/** As anybody asks for a picture: `200`, or the status and the reason. */
export async function getBlob(world: World, did: string, cid: string): Promise<string> {
  const answer = await ask(world, 'com.atproto.sync.getBlob', { did, cid })
  if (answer.ok) {
    await answer.arrayBuffer()
    return '200'
  }
  const { message = '' } = (await answer.json()) as { message?: string }
  return `${answer.status} ${message}`
}

async function ask(
  world: World,
  method: string,
  params: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const url = `${world.network.pdsUrl}/xrpc/${method}?${new URLSearchParams(params).toString()}`
  const signal = AbortSignal.any([world.signal, AbortSignal.timeout(ANSWER_MS)])
  return await fetch(url, { headers, signal })
}
