// The first half of the story: a bank, clean pictures, an exact copy that is acted on, a near copy that waits.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { canaryPicture, cleanPicture, recompressed } from '../../testing/canary.ts'
import { ask, decidedFacts, finishedFacts, kindsOf, matchText, scanOf } from './facts.ts'
import { isSigned, labelOf, labelerDocument } from './label-view.ts'
import { getBlob, takedownOf, takedownText, takenDown } from './pds-view.ts'
import { postAs } from './posting.ts'
import type { Posted } from './posting.ts'
import type { Step } from './steps.ts'
import { check, waitFor, waitLimits } from './wait.ts'
import type { World } from './world.ts'

/** Later steps look at what earlier ones left here. */
export type Story = { exact?: Posted; near?: { posted: Posted; caseNumber: number } }

export const CANARY_SEED = 7
export const allKinds = 'takedown-blob, takedown-record, label'

export function firstSteps(world: World, story: Story): Step[] {
  return [
    ready(world),
    bank(world),
    clean(world),
    exact(world, story),
    readBack(world, story),
    label(world, story),
    near(world, story),
    confirm(world, story),
  ]
}

function ready(world: World): Step {
  return {
    name: 'Blobwatch is ready',
    expected: '/readyz answers 200: database, bank index, ledger and disk',
    async run({ see, live }) {
      live('waiting for /readyz')
      const checks = await waitFor(
        'an answer 200 from /readyz',
        async () => {
          const answer = await fetch(`${world.privateUrl}/readyz`, { signal: world.signal })
          const body = (await answer.json()) as { checks: object }
          return answer.ok ? Object.keys(body.checks).join(', ') : undefined
        },
        { ...world, limitMs: waitLimits.startMs },
      )
      see(`200; ${checks}; process ${world.service.pid}`)
    },
  }
}

function bank(world: World): Step {
  return {
    name: 'A bank with one known picture',
    expected: 'bank CANARY is made and holds the picture by all its signals',
    async run({ see, live }) {
      live('bank create')
      await ask(world, ...createBankArgs)
      const file = join(world.dir, 'canary.jpg')
      await writeFile(file, await canaryPicture({ seed: CANARY_SEED }), { mode: 0o600 })
      live('bank add')
      type Added = { added: { content: number; types: string[] }[] }
      const { added } = await ask<Added>(world, 'bank', 'add', 'CANARY', file)
      const types = added[0]?.types.join(', ')
      see(`content ${added[0]?.content ?? 'none'}, signals ${types ?? 'none'}`)
      check(types === 'sha256, md5, sha1, pdq', 'not all the signals')
    },
  }
}

function clean(world: World): Step {
  return {
    name: 'Pictures that are in no bank stay',
    expected: 'three verdicts "clear", no decision, all three still served',
    async run({ see, live }) {
      live('three posts')
      const posts: Posted[] = []
      for (const [index, name] of ['ann', 'ben', 'cleo'].entries())
        posts.push(await postAs(world, name, 'post', await cleanPicture(index)))
      live('the verdicts')
      const scans = await Promise.all(posts.map(({ blob }) => scanOf(world, blob)))
      for (const [index, { verdict, decisions }] of scans.entries()) {
        const { did, blob, handle } = posts[index] as Posted
        const served = await getBlob(world, did, blob)
        see(`${handle}: ${verdict}, ${decisions} decisions, getBlob ${served}`)
        check(
          verdict === 'clear' && served === '200' && decisions === 0,
          'not clear, or not served',
        )
      }
    },
  }
}

function exact(world: World, story: Story): Step {
  return {
    name: 'An exact copy in a post is acted on',
    expected: 'matched at distance 0; takedown of blob and record, and a label',
    async run({ see, live }) {
      live('posting')
      const posted = await postAs(world, 'dora', 'post', await canaryPicture({ seed: CANARY_SEED }))
      story.exact = posted
      live('the takedown')
      await takenDown(world, posted)
      const { sightings, decision, actions } = await finishedFacts(world, posted.did)
      const [sighting] = sightings
      see(`sighting: by ${sighting?.source ?? 'nobody'}, ${sighting?.uri ?? 'nowhere'}`)
      see(`verdict: matched; ${matchText(decision)}`)
      see(`decision: ${decision.outcome}, because ${decision.reason}`)
      see(`done: ${kindsOf(actions)}`)
      check(sighting?.uri === posted.uri, 'the sighting is of another place')
      check(decision.type === 'sha256' && decision.distance === 0, 'not an exact match')
      check(decision.outcome === 'acted' && decision.reason === 'exact', 'not acted on')
      check(kindsOf(actions) === allKinds, `other actions than ${allKinds}`)
    },
  }
}

function readBack(world: World, story: Story): Step {
  return {
    name: 'The PDS says the same',
    expected: 'getSubjectStatus: both taken down by us; getBlob refuses',
    async run({ see }) {
      const { uri, did, blob } = left(story.exact)
      for (const [what, subject] of Object.entries({ blob: { did, blob }, record: { uri } })) {
        const takedown = await takedownOf(world, subject)
        see(`${what}: ${takedownText(takedown)}`)
        check(takedown.applied && takedown.ref.startsWith('blobwatch:'), 'no takedown of ours')
      }
      const served = await getBlob(world, did, blob)
      see(`getBlob: ${served}`)
      check(served.startsWith('400'), 'the PDS still serves it')
    },
  }
}

function label(world: World, story: Story): Step {
  return {
    name: 'The label is public and signed',
    expected: 'on subscribeLabels, signed with the key in the DID document',
    async run({ see, live }) {
      const { uri } = left(story.exact)
      live('reading the label stream')
      const { seq, label } = await labelOf(world, uri)
      see(`stream, seq ${seq}: "${label.val}" on that post`)
      const document = await labelerDocument(world)
      const holds = await isSigned(label, document.keyDid)
      const changed = await isSigned({ ...label, val: 'other' }, document.keyDid)
      see(`labeler: ${label.src}, ${document.endpoint}`)
      see(
        `signature: ${holds ? 'valid' : 'NOT valid'}; ${changed ? 'STILL' : 'not'} valid when the value is changed`,
      )
      check(label.val === 'canary' && label.src === world.labelerDid, 'another label')
      check(document.endpoint === world.publicUrl, 'the DID document names another address')
      check(holds && !changed, 'the signature does not tell')
    },
  }
}

function near(world: World, story: Story): Step {
  return {
    name: 'A smaller, recompressed copy waits for a person',
    expected: 'matched by PDQ, held as "perceptual" in a case, still served',
    async run({ see, live }) {
      live('posting')
      const small = await canaryPicture({ seed: CANARY_SEED, width: 400, height: 300 })
      const posted = await postAs(world, 'emil', 'post', await recompressed(small, 40))
      live('the decision')
      const { decision, actions } = await decidedFacts(world, posted.did)
      const { caseNumber } = decision
      see(`verdict: matched; ${matchText(decision)}`)
      see(`decision: ${decision.outcome}, because ${decision.reason}; case ${caseNumber ?? 'none'}`)
      if (caseNumber !== null) story.near = { posted, caseNumber }
      live('case list')
      const { cases } = await ask<{ cases: { id: number }[] }>(world, 'case', 'list')
      see(`waiting: ${kindsOf(actions)}; open cases: ${cases.map(({ id }) => id).join(', ')}`)
      const served = await getBlob(world, posted.did, posted.blob)
      see(`getBlob: ${served}`)
      check(decision.type === 'pdq' && decision.outcome === 'held', 'not held by its PDQ hash')
      check(decision.reason === 'perceptual' && caseNumber !== null, 'no case, or another reason')
      check(
        cases.some(({ id }) => id === caseNumber),
        'the case is not in the list',
      )
      check(
        actions.every(({ state }) => state === 'held'),
        'an action is not held',
      )
      check(served === '200', 'the PDS does not serve it any more')
    },
  }
}

function confirm(world: World, story: Story): Step {
  return {
    name: 'A person confirms the case; the takedown follows',
    expected: '"case confirm" releases what waited; the PDS refuses the picture',
    async run({ see, live }) {
      const { posted, caseNumber } = left(story.near)
      live('case confirm')
      type Confirmed = { state: string; actions: number }
      const confirmed = await ask<Confirmed>(world, 'case', 'confirm', String(caseNumber))
      see(`case ${caseNumber}: ${confirmed.state}, ${confirmed.actions} actions released`)
      live('the takedown')
      const takedown = await takenDown(world, posted)
      const { actions } = await finishedFacts(world, posted.did)
      const served = await getBlob(world, posted.did, posted.blob)
      see(`done: ${kindsOf(actions)}`)
      see(`blob: ${takedownText(takedown)}`)
      see(`getBlob: ${served}`)
      check(confirmed.state === 'confirmed', 'the case is not confirmed')
      check(
        actions.every(({ byPerson }) => byPerson),
        'an action is not marked as a person decided it',
      )
      check(served.startsWith('400'), 'the PDS still serves it')
    },
  }
}

/** What a step before this one should have left. */
export function left<T>(thing: T | undefined): T {
  check(thing !== undefined, 'an earlier step left nothing to look at')
  return thing
}

const createBankArgs = [
  'bank',
  'create',
  'CANARY',
  '--class',
  'open',
  '--mode',
  'act',
  '--actions',
  'takedown-blob,takedown-record,label',
  '--label',
  'canary',
]
