// The second half: every place a picture can hide in, what cannot be scanned, the brake, and the ledger.
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Webhook } from 'standardwebhooks'
import sharp from 'sharp'
import { parseBundle } from '../../ledger/tree/tiles.ts'
import { canaryPicture, cleanPicture } from '../../testing/canary.ts'
import { accountFacts, ask, finishedFacts, kindsOf, matchText, scanOf } from './facts.ts'
import { getBlob, takedownOf, takedownText, takenDown } from './pds-view.ts'
import { postAs, uploadAs } from './posting.ts'
import type { Kind, Posted } from './posting.ts'
import { CANARY_SEED, allKinds, left } from './steps-first.ts'
import type { Step } from './steps.ts'
import { check, waitFor } from './wait.ts'
import type { World } from './world.ts'

const PAUSED_LOOK_MS = 1_300
/** Twice the service's own interval. */
const CHECKPOINT_MS = 40_000

export function restSteps(world: World): Step[] {
  const story: { paused?: Posted } = {}
  return [
    place(world, { kind: 'avatar', by: 'fay', name: 'An exact copy as an avatar', record: false }),
    place(world, {
      kind: 'link card',
      by: 'gus',
      name: "An exact copy as a link card's thumbnail",
    }),
    place(world, {
      kind: 'recordWithMedia',
      by: 'hana',
      name: 'An exact copy beside a quoted post',
    }),
    place(world, {
      kind: 'unknown collection',
      by: 'ivo',
      name: 'An exact copy in a record of an unknown kind',
    }),
    webhook(world),
    unscannable(world),
    pause(world, story),
    resume(world, story),
    ledger(world),
    changedByte(world),
  ]
}

type Place = { kind: Kind; by: string; name: string; record?: boolean }

/** A profile stands for the account: its picture goes, the record stays. */
function place(world: World, { kind, by, name, record = true }: Place): Step {
  const wanted = record ? allKinds : 'takedown-blob, label'
  return {
    name,
    expected: record
      ? 'acted on: blob and record taken down'
      : 'the picture goes, the profile stays',
    async run({ see, live }) {
      live('posting')
      const posted = await postAs(world, by, kind, await canaryPicture({ seed: CANARY_SEED }))
      live('the takedown')
      await takenDown(world, posted)
      const { decision, actions } = await finishedFacts(world, posted.did)
      const kinds = kindsOf(actions)
      const path = posted.uri.split('/').slice(3).join('/')
      see(`${path}: ${decision.outcome}, because ${decision.reason}`)
      see(`done: ${kinds}`)
      const served = await getBlob(world, posted.did, posted.blob)
      const { applied } = await takedownOf(world, { uri: posted.uri })
      see(`getBlob: ${served}; record ${applied ? 'taken down' : 'untouched'}`)
      check(decision.outcome === 'acted' && kinds === wanted, `expected: ${wanted}`)
      check(served.startsWith('400') && applied === record, 'the PDS says otherwise')
    },
  }
}

function webhook(world: World): Step {
  return {
    name: 'An upload announced by webhook, before any post',
    expected: 'a forged call gets 401; the real one leads to a takedown at once',
    async run({ see, live }) {
      live('uploading')
      const upload = await uploadAs(world, 'jun', await canaryPicture({ seed: CANARY_SEED }))
      const body = JSON.stringify({ event_type: 'image_upload', did: upload.did, cid: upload.blob })
      const forged = await announce(world, body, `whsec_${Buffer.alloc(32).toString('base64')}`)
      const accepted = await announce(world, body, world.webhookSecret)
      see(`forged signature: ${forged}; right signature: ${accepted}`)
      check(forged === 401 && accepted === 202, 'other answers than expected')
      live('the takedown')
      const takedown = await takenDown(world, upload)
      const { decision, actions } = await finishedFacts(world, upload.did)
      see(`seen by ${decision.source}; ${matchText(decision)}`)
      see(`done: ${kindsOf(actions)}; ${takedownText(takedown)}`)
      check(kindsOf(actions) === 'takedown-blob', 'other actions than expected')
      const published = await upload.publish()
      see(`the account tries to post it: ${published}`)
      check(published === 'BlobNotFound', 'the PDS took the post')
    },
  }
}

async function announce(world: World, body: string, secret: string): Promise<number> {
  const id = `msg_${randomUUID()}`
  const at = new Date()
  const answer = await fetch(`${world.publicUrl}/api/v1/webhook/atproto-callback`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, at, body),
    },
    body,
    signal: world.signal,
  })
  await answer.arrayBuffer()
  return answer.status
}

function unscannable(world: World): Step {
  return {
    name: 'What cannot be scanned is not called clear',
    expected: 'a moving GIF and a text that says it is a JPEG: unscannable',
    async run({ see, live }) {
      const frame = { width: 320, height: 240, format: 'png' } as const
      const gif = await sharp(
        [await cleanPicture(1, frame), await canaryPicture({ seed: CANARY_SEED, ...frame })],
        { join: { animated: true } },
      )
        .gif()
        .toBuffer()
      const text = new TextEncoder().encode('This is not a picture.')
      live('posting')
      const posted = {
        GIF: await postAs(world, 'kim', 'post', gif),
        text: await postAs(world, 'lea', 'post', text),
      }
      live('the verdicts')
      const scans = await Promise.all(
        Object.entries(posted).map(async ([what, { blob }]) => {
          return { what, ...(await scanOf(world, blob)) }
        }),
      )
      for (const { what, verdict, reason } of scans) {
        see(`${what}: ${verdict}, ${reason ?? 'no reason'}`)
        check(verdict === 'unscannable' && reason !== null, 'another verdict')
      }
    },
  }
}

function pause(world: World, story: { paused?: Posted }): Step {
  return {
    name: 'Paused: decided and recorded, nothing sent',
    expected: 'an exact copy under "pause": intents in the ledger, no takedown',
    async run({ see, live }) {
      live('pause')
      await ask(world, 'pause', '--reason', 'demo')
      live('posting')
      const posted = await postAs(world, 'max', 'post', await canaryPicture({ seed: CANARY_SEED }))
      story.paused = posted
      live('the intents in the ledger')
      const { decision, actions } = await waitFor(
        'the intents in the ledger',
        async () => {
          const { decisions, actions } = await accountFacts(world, posted.did)
          const recorded =
            actions.length > 0 && actions.every(({ intentSeq }) => intentSeq !== null)
          const [decision] = decisions
          return recorded && decision ? { decision, actions } : undefined
        },
        world,
      )
      live('watching the PDS')
      await sleep(PAUSED_LOOK_MS, undefined, { signal: world.signal })
      const { applied } = await takedownOf(world, { did: posted.did, blob: posted.blob })
      const served = await getBlob(world, posted.did, posted.blob)
      const entries = actions.map(({ intentSeq }) => Number(intentSeq)).toSorted((a, b) => a - b)
      see(`decision: ${decision.outcome}, because ${decision.reason}`)
      see(`intents: ledger entries ${entries.join(', ')}; actions: ${statesOf(actions)}`)
      see(`PDS: ${applied ? 'taken down' : 'no takedown'}; getBlob: ${served}`)
      check(decision.outcome === 'acted', 'not decided as without a pause')
      check(!applied && served === '200', 'something left while paused')
    },
  }
}

function statesOf(actions: readonly { state: string; waiting: string | null }[]): string {
  const states = actions.map(({ state, waiting }) =>
    waiting === null ? state : `${state} (${waiting})`,
  )
  return [...new Set(states)].join(', ')
}

function resume(world: World, story: { paused?: Posted }): Step {
  return {
    name: 'Resumed: now it goes',
    expected: 'after "resume" the same actions leave; getBlob refuses',
    async run({ see, live }) {
      live('resume')
      await ask(world, 'resume')
      const posted = left(story.paused)
      live('the takedown')
      const takedown = await takenDown(world, posted)
      const { actions } = await finishedFacts(world, posted.did)
      const served = await getBlob(world, posted.did, posted.blob)
      see(`done: ${kindsOf(actions)}`)
      see(`blob: ${takedownText(takedown)}`)
      see(`getBlob: ${served}`)
      check(served.startsWith('400'), 'the PDS still serves it')
    },
  }
}

type Report = {
  ok: boolean
  entries: number
  faults: { seq: number | null; problem: string }[]
  openIntents: number
}

function ledger(world: World): Step {
  return {
    name: 'The ledger holds',
    expected: '"ledger verify" computes every entry anew and finds no fault',
    async run({ see, live }) {
      live('ledger verify')
      const report = await ask<Report>(world, 'ledger', 'verify')
      see(
        `${report.entries} entries, ${report.faults.length} faults, ${report.openIntents} intents without a result`,
      )
      check(report.ok && report.entries > 0 && report.openIntents === 0, 'not as expected')
    },
  }
}

function changedByte(world: World): Step {
  return {
    name: 'One changed byte in a copy is found',
    expected: '"ledger verify --file" accepts the copy, then names that entry',
    async run({ see, live }) {
      const { verifierKey } = await ask<{ verifierKey: string }>(world, 'ledger', 'key')
      live('ledger export')
      const { entries, folder } = await waitFor('a copy with entries', () => exported(world), {
        ...world,
        limitMs: CHECKPOINT_MS,
      })
      const before = await verifyCopy(world, folder, verifierKey)
      see(`the copy: ${entries} entries, exit code ${before.code}`)
      const changed = await changeOneByte(folder)
      live('ledger verify --file')
      const after = await verifyCopy(world, folder, verifierKey)
      const [finding] = after.report.findings
      see(`one byte of entry ${changed} changed: exit code ${after.code}`)
      see(`entry ${finding?.seq ?? '?'}: ${finding?.problem ?? 'nothing found'}`)
      check(before.code === 0 && after.code === 1, 'other exit codes than expected')
      check(finding?.seq === changed, 'the entry is not named')
    },
  }
}

/** A copy up to the newest checkpoint; undefined when that is the one of the beginning, which covers nothing yet. */
async function exported(world: World): Promise<{ entries: number; folder: string } | undefined> {
  const folder = join(await mkdtemp(join(world.dir, 'export-')), 'ledger')
  const { entries } = await ask<{ entries: number }>(world, 'ledger', 'export', folder)
  return entries === 0 ? undefined : { entries, folder }
}

type CopyReport = { findings: { seq?: number; problem: string }[] }

async function verifyCopy(
  world: World,
  folder: string,
  key: string,
): Promise<{ code: number; report: CopyReport }> {
  const words = ['ledger', 'verify', '--file', folder, '--key', key, '--json']
  const { code, stdout } = await world.command(...words)
  return { code, report: JSON.parse(stdout) as CopyReport }
}

/** The last byte of an entry in the middle of the first file; its number. */
async function changeOneByte(folder: string): Promise<number> {
  const names = await readdir(join(folder, 'tile', 'entries'), { recursive: true })
  const name = names.toSorted().find((one) => /^000$|^000\.p.\d+$/.test(one)) ?? ''
  const file = join(folder, 'tile', 'entries', name)
  const bytes = await readFile(file)
  const entries = parseBundle(bytes) ?? []
  const seq = Math.floor(entries.length / 2)
  const end = entries.slice(0, seq + 1).reduce((sum, entry) => sum + 2 + entry.length, 0)
  await writeFile(file, bytes.with(end - 1, (bytes[end - 1] ?? 0) ^ 1))
  return seq
}
