import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FatalError, RetryableError } from '../domain/errors.ts'
import type { Anchor, AnchorOutcome, SubmittedHead } from '../ledger/anchor/anchor.ts'
import { openCheckpoint, signedByLog } from '../ledger/note/checkpoint.ts'
import { formatVerifierKey } from '../ledger/note/key.ts'
import { parsePolicy } from '../ledger/note/policy.ts'
import { makeSignerKey } from '../ledger/note/signer-key.ts'
import { newestCheckpoint, pruneCheckpoints } from '../steps/checkpoints.ts'
import { createCheckpointer } from './checkpoint.ts'
import { keyOf, optionsOf, signal, vet } from './checkpoint-in-test.ts'
import { ledgerInTest, logInTest } from './ledger-in-test.ts'

describe('a checkpoint', () => {
  test('is the signed root of what is stored, grows, and is made once a size', async (t) => {
    const ledger = await ledgerInTest(t)
    const key = await keyOf(ledger)
    const head = await ledger.grow(3)
    const checkpointer = createCheckpointer(head, optionsOf(ledger))
    for (const size of [3, 3, 300]) {
      if (size === 300) Object.assign(head, await ledger.grow(297))
      await checkpointer.round(signal)
      const newest = await newestCheckpoint(ledger.database.app)
      assert.ok(newest)
      assert.equal(newest.size, size)
      const opened = openCheckpoint(newest.note, [key])
      assert.ok(typeof opened !== 'string' && signedByLog(opened))
      assert.equal(opened.checkpoint.size, size)
      assert.equal(opened.checkpoint.origin, logInTest)
    }
    const rows = await ledger.database.app`select from ledger_checkpoint`
    assert.equal(rows.length, 2)
  })

  test('a process that was killed after signing leaves a head from which the next one goes on', async (t) => {
    const ledger = await ledgerInTest(t)
    await createCheckpointer(await ledger.grow(3), optionsOf(ledger)).round(signal)
    await ledger.superuser('delete from ledger_checkpoint')
    // Nothing new: the same head is signed again, and kept this time.
    await createCheckpointer(
      await vet(ledger).then(
        (head) => head,
        () => ledger.lead(),
      ),
      optionsOf(ledger),
    ).round(signal)
    assert.equal((await newestCheckpoint(ledger.database.app))?.size, 3)
    await createCheckpointer(await ledger.grow(2), optionsOf(ledger)).round(signal)
    assert.equal((await newestCheckpoint(ledger.database.app))?.size, 5)
  })

  test('is not made over bytes, hashes or tiles that somebody changed since they were appended', async (t) => {
    const changes = [
      `update ledger_entry set bytes = set_byte(bytes, 30, 65) where seq = 270`,
      `update ledger_entry set hash = decode(repeat('ab', 32), 'hex') where seq = 270`,
      `delete from ledger_entry where seq = 270`,
      `update ledger_node set hash = decode(repeat('ab', 32), 'hex')`,
    ]
    for (const change of changes) {
      const ledger = await ledgerInTest(t)
      const before = await ledger.grow(250)
      await createCheckpointer(before, optionsOf(ledger)).round(signal)
      const head = await ledger.grow(50)
      await ledger.superuser(change)
      await assert.rejects(
        createCheckpointer(head, optionsOf(ledger)).round(signal),
        FatalError,
        change,
      )
      assert.equal((await ledger.signer.head(logInTest))?.size, 250)
    }
  })

  test('a leader that was paused signs nothing and is no alarm; its word is not kept', async (t) => {
    const ledger = await ledgerInTest(t)
    const old = await ledger.grow(3)
    const paused = createCheckpointer(old, optionsOf(ledger))
    const head = await ledger.grow(2)
    await createCheckpointer(head, optionsOf(ledger)).round(signal)
    await assert.rejects(paused.round(signal), /BW001/)
  })

  test('a signer that is away is no fault', async (t) => {
    const ledger = await ledgerInTest(t)
    const away = { ...ledger.signer, sign: async () => Promise.reject(new RetryableError('away')) }
    const checkpointer = createCheckpointer(
      await ledger.grow(3),
      optionsOf(ledger, { signer: away }),
    )
    await assert.rejects(checkpointer.round(signal), RetryableError)
  })
})

describe('anchors', () => {
  const witnesses = ['w1', 'w2', 'w3'].map((name) => makeSignerKey(`${name}.example`, 'witness'))
  const policy = parsePolicy(
    [
      ...witnesses.map(({ verifier }, i) => `witness w${i + 1} ${formatVerifierKey(verifier)}`),
      'group all 2 w1 w2 w3',
      'quorum all',
    ].join('\n'),
  )
  assert.ok(!('problems' in policy))

  const anchorOf = (
    kind: Anchor['kind'],
    who: string,
    answer: (note: string) => AnchorOutcome | Promise<AnchorOutcome>,
    newest: Anchor['newest'] = async () => undefined,
  ): Anchor => ({ kind, who, everyMs: 0, newest, submit: async ({ note }) => answer(note) })

  const witness = (n: number) =>
    anchorOf('witness', `w${n}`, (note) => ({
      kind: 'anchored',
      who: `w${n}`,
      body: new Uint8Array(0),
      signature: witnesses[n - 1]!.sign(note.slice(0, note.indexOf('\n\n') + 1), 1_800_000_000),
    }))

  test('cosignatures join the note, and a quorum of them anchors it', async (t) => {
    const ledger = await ledgerInTest(t)
    const signed: boolean[] = []
    const anchors = [
      witness(1),
      anchorOf('witness', 'w2', () => ({ kind: 'failed', who: 'w2', reason: 'away' })),
    ]
    const options = {
      anchors,
      policy,
      onSigned: ({ anchored }: { anchored: boolean }) => void signed.push(anchored),
    }
    await createCheckpointer(await ledger.grow(3), optionsOf(ledger, options)).round(signal)
    const one = await newestCheckpoint(ledger.database.app)
    assert.deepEqual([one?.witnesses, one?.anchored_at], [1, null])
    anchors[1] = witness(3)
    await createCheckpointer(await ledger.grow(1), optionsOf(ledger, options)).round(signal)
    const two = await newestCheckpoint(ledger.database.app)
    assert.equal(two?.witnesses, 2)
    assert.ok(two?.anchored_at)
    assert.deepEqual(signed, [false, false, false, true])
    const opened = openCheckpoint(two.note, [
      await keyOf(ledger),
      ...witnesses.map(({ verifier }) => verifier),
    ])
    assert.ok(typeof opened !== 'string' && opened.verdict.kind === 'verified')
    assert.equal(opened.verdict.by.length, 3)
  })

  test('who was away is asked again though the log does not move, and who has it is not', async (t) => {
    const ledger = await ledgerInTest(t)
    let asked = 0
    let isBack = false
    const first = witness(1)
    const second = witness(2)
    const anchors = [
      anchorOf('witness', 'w1', (note) => {
        asked += 1
        return first.submit({ note } as SubmittedHead, signal)
      }),
      anchorOf('witness', 'w2', (note) =>
        isBack
          ? second.submit({ note } as SubmittedHead, signal)
          : { kind: 'failed', who: 'w2', reason: 'away' },
      ),
    ]
    const head = await ledger.grow(3)
    const checkpointer = createCheckpointer(head, optionsOf(ledger, { anchors, policy }))
    const witnessed = async () => {
      await checkpointer.round(signal)
      return (await newestCheckpoint(ledger.database.app))?.witnesses
    }
    assert.deepEqual([await witnessed(), await witnessed()], [1, 1])
    isBack = true
    assert.deepEqual([await witnessed(), await witnessed(), asked], [2, 2, 1])
    assert.ok((await newestCheckpoint(ledger.database.app, { anchored: true }))?.anchored_at)
  })

  test('a process that signs the same head again keeps the cosignatures that another one gathered', async (t) => {
    const ledger = await ledgerInTest(t)
    const head = await ledger.grow(3)
    const anchors = [witness(1), witness(2)]
    await createCheckpointer(head, optionsOf(ledger, { anchors, policy })).round(signal)
    const before = await newestCheckpoint(ledger.database.app)
    await createCheckpointer(head, optionsOf(ledger, { policy })).round(signal)
    const after = await newestCheckpoint(ledger.database.app)
    assert.deepEqual([before?.witnesses, after?.witnesses, after?.note], [2, 2, before?.note])
  })

  test('a record anchors where there are no witnesses, and what it holds is kept', async (t) => {
    const ledger = await ledgerInTest(t)
    const record = anchorOf('record', 'at://did:web:x/y/z', () => ({
      kind: 'anchored',
      who: 'at://did:web:x/y/z',
      body: Buffer.from('{}'),
    }))
    const broken = anchorOf('timestamp', 'tsa', () =>
      Promise.reject(new TypeError('a fault of ours')),
    )
    const anchors = [record, broken]
    await createCheckpointer(await ledger.grow(3), optionsOf(ledger, { anchors })).round(signal)
    assert.ok((await newestCheckpoint(ledger.database.app, { anchored: true }))?.anchored_at)
    const [kept] = await ledger.database.app<{ body: Buffer }[]>`select body from ledger_anchor`
    assert.equal(kept?.body.toString(), '{}')
  })

  test('somebody who proves to hold another ledger of this name stops the leader; an answer alone does not', async (t) => {
    const ledger = await ledgerInTest(t)
    const conflict = { kind: 'conflict', who: 'w1', theirSize: 9, reason: 'larger' } as const
    const holding = (newest: Anchor['newest']) => [
      anchorOf('witness', 'w1', () => conflict, newest),
    ]
    const head = await ledger.grow(3)
    const round = (anchors: Anchor[]) =>
      createCheckpointer(head, optionsOf(ledger, { anchors })).round(signal)
    const stops = /w1 holds \d entries of this ledger that are not these/
    await assert.rejects(round(holding(async () => ({ size: 9 }))), stops)
    await assert.rejects(round(holding(async () => ({ size: 2, root: new Uint8Array(32) }))), stops)
    // Whoever stands between us and the witness can say 409; the signed head is what the witness itself shows.
    const own = await ledger.signer.head(logInTest)
    await round(holding(async () => ({ size: 3, root: own!.root })))
    await round(holding(async () => undefined))
    await round(holding(async () => Promise.reject(new RetryableError('away'))))
  })

  test('a signer that forgot what it signed is not asked to begin anew', async (t) => {
    const ledger = await ledgerInTest(t)
    const other = await ledgerInTest(t)
    await createCheckpointer(await ledger.grow(3), optionsOf(ledger)).round(signal)
    const forgot = createCheckpointer(
      await ledger.grow(1),
      optionsOf(ledger, { signer: other.signer }),
    )
    await assert.rejects(forgot.round(signal), /has forgotten what it signed/)
    assert.equal(await other.signer.head(logInTest), undefined)
  })

  test('each is asked no more often than it wants', async (t) => {
    const ledger = await ledgerInTest(t)
    let asked = 0
    let nowMs = 1_000_000
    const hourly = {
      ...anchorOf('record', 'at://x', () => {
        asked += 1
        return { kind: 'anchored', who: 'at://x', body: new Uint8Array(1) }
      }),
      everyMs: 3_600_000,
    }
    const head = await ledger.grow(1)
    nowMs += hourly.everyMs
    const checkpointer = createCheckpointer(
      head,
      optionsOf(ledger, { anchors: [hourly], clock: () => nowMs }),
    )
    for (const step of [0, 1_000, hourly.everyMs]) {
      nowMs += step
      const { epoch } = await ledger.grow(1)
      head.epoch = epoch
      await checkpointer.round(signal)
    }
    assert.equal(asked, 2)
  })

  test('older checkpoints go but for one an hour and what a record names', async (t) => {
    const ledger = await ledgerInTest(t)
    const { app, owner } = ledger.database
    await owner`insert into ledger_checkpoint (origin, size, note, at)
      select 'x', n, '', '2026-01-01T00:00:00Z'::timestamptz + n * interval '10 minutes' from generate_series(0, 17) n`
    await owner`insert into ledger_anchor (origin, size, kind, who, body, at) values ('x', 3, 'record', 'r', '', now())`
    assert.equal(await pruneCheckpoints(app, Date.parse('2026-01-03T00:00:00Z')), 14)
    const rows = await app<{ size: number }[]>`select size from ledger_checkpoint order by size`
    assert.deepEqual(
      rows.map(({ size }) => size),
      [3, 5, 11, 17],
    )
  })
})
