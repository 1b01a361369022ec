import assert from 'node:assert/strict'
import { randomBytes, createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, test } from 'node:test'
import { blobCidOf } from '../domain/cid.ts'
import { createBlobFetcher } from './fetch-blob.ts'
import { createHostClient } from './host-client.ts'
import { createHostGate } from './host-gate.ts'
import type { Admission } from './host-gate.ts'
import { withDefaults } from './limits.ts'
import { publicHosts, startHost, unhurried as signal } from './loopback-host.ts'

describe('the gate', { timeout: 20_000 }, () => {
  test('lets a second’s budget through at once, makes the next wait and defers the rest', async () => {
    const gate = createHostGate({ clock: () => 1000, limits: withDefaults({ budgetWaitMs: 250 }) })
    for (let i = 0; i < 10; i++) entered(await gate.enter('a', { signal })).leave('good')
    const startedMs = performance.now()
    entered(await gate.enter('a', { signal })).leave('good')
    const waitedMs = performance.now() - startedMs
    assert.ok(waitedMs > 90 && waitedMs < 190, `waited ${waitedMs}`)
    entered(await gate.enter('a', { signal })).leave('good')
    const denied = { kind: 'denied', reason: 'rate-limited', untilMs: 1300 }
    assert.deepEqual(await gate.enter('a', { signal }), denied)
    entered(await gate.enter('b', { signal })).leave('good')
  })

  test('a clock that is set back by hours closes no host for hours', async () => {
    const time = { nowMs: 10_000_000 }
    const limits = withDefaults({ budgetWaitMs: 0 })
    const gate = createHostGate({ clock: () => time.nowMs, limits })
    for (let i = 0; i < 10; i++) entered(await gate.enter('a', { signal })).leave('good')
    gate.pause('b', time.nowMs + 1000)
    time.nowMs -= 7_200_000
    const denied = (untilMs: number) => ({ kind: 'denied', reason: 'rate-limited', untilMs })
    assert.deepEqual(await gate.enter('a', { signal }), denied(time.nowMs + 100))
    assert.deepEqual(await gate.enter('b', { signal }), denied(time.nowMs + 1000))
    time.nowMs += 1000
    for (const host of ['a', 'b']) entered(await gate.enter(host, { signal })).leave('good')
  })

  test('opens no more sockets to one host than allowed and serves who waits in order', async () => {
    const limits = withDefaults({ socketsPerHost: 2, socketWaitMs: 200, requestsPerSecond: 1000 })
    const gate = createHostGate({ clock: () => 1000, limits })
    const inside = [await gate.enter('a', { signal }), await gate.enter('a', { signal })]
    const order: number[] = []
    const waiting = [1, 2].map(async (n) => {
      const admission = entered(await gate.enter('a', { signal }))
      order.push(n)
      return admission
    })
    const other = entered(await gate.enter('b', { signal }))
    other.leave('good')
    assert.deepEqual(order, [])
    for (const admission of inside) entered(admission).leave('good')
    const last = await Promise.all(waiting)
    assert.deepEqual(order, [1, 2])
    assert.equal((await gate.enter('a', { signal })).kind, 'denied')
    for (const admission of last) admission.leave('good')
    entered(await gate.enter('a', { signal })).leave('good')
  })

  test('keeps sockets for the hosts it knows when strangers hold theirs', async () => {
    const limits = withDefaults({ socketsForStrangers: 2, socketsMax: 3, socketWaitMs: 50 })
    const gate = createHostGate({ clock: () => 1000, limits })
    const strangers = [await gate.enter('a', { signal }), await gate.enter('b', { signal })]
    assert.equal((await gate.enter('c', { signal })).kind, 'denied')
    const trusted = entered(await gate.enter('pair', { signal, trusted: true }))
    assert.equal((await gate.enter('pair', { signal, trusted: true })).kind, 'denied')
    trusted.leave('good')
    for (const admission of strangers) entered(admission).leave('good')
    entered(await gate.enter('c', { signal })).leave('good')
  })

  test('keeps connections alive only to hosts that have answered well for a while', async () => {
    const limits = withDefaults({ knownAfterAnswers: 2 })
    const gate = createHostGate({ clock: () => 1000, limits })
    const seen: boolean[] = []
    for (const health of ['good', 'good', 'good', 'failing', 'good'] as const) {
      const admission = entered(await gate.enter('a', { signal }))
      seen.push(admission.keepAlive)
      admission.leave(health)
    }
    assert.deepEqual(seen, [false, false, true, true, false])
  })

  test('opens after failures in a row, lets one probe through, and closes when it is answered', async () => {
    let nowMs = 1000
    const limits = withDefaults({ requestsPerSecond: 1000 })
    const gate = createHostGate({ clock: () => nowMs, limits })
    const fail = async () => entered(await gate.enter('a', { signal })).leave('failing')
    for (let i = 0; i < 4; i++) await fail()
    entered(await gate.enter('a', { signal })).leave('good')
    for (let i = 0; i < 5; i++) await fail()
    const open = { kind: 'denied', reason: 'host-failing', untilMs: 31_000 }
    assert.deepEqual(await gate.enter('a', { signal }), open)
    entered(await gate.enter('b', { signal })).leave('good')

    nowMs = 31_000
    const probe = entered(await gate.enter('a', { signal }))
    assert.equal((await gate.enter('a', { signal })).kind, 'denied')
    probe.leave('failing')
    assert.deepEqual(await gate.enter('a', { signal }), { ...open, untilMs: 61_000 })

    nowMs = 61_000
    entered(await gate.enter('a', { signal })).leave('unknown')
    entered(await gate.enter('a', { signal })).leave('good')
    const both = [await gate.enter('a', { signal }), await gate.enter('a', { signal })]
    for (const admission of both) entered(admission).leave('good')
  })

  test('remembers a bounded number of hosts and never forgets one in use', async () => {
    const limits = withDefaults({
      hostsMax: 2,
      failuresMax: 1,
      socketsPerHost: 1,
      socketWaitMs: 20,
    })
    const gate = createHostGate({ clock: () => 1000, limits })
    const held = entered(await gate.enter('held', { signal }))
    entered(await gate.enter('failing', { signal })).leave('failing')
    for (const host of ['a', 'b', 'c']) entered(await gate.enter(host, { signal })).leave('good')
    assert.equal((await gate.enter('held', { signal })).kind, 'denied')
    entered(await gate.enter('failing', { signal })).leave('good')
    held.leave('good')
  })

  test('lets a caller who gives up go at once', async () => {
    const limits = withDefaults({ socketsPerHost: 1, requestsPerSecond: 1 })
    const gate = createHostGate({ clock: () => 1000, limits })
    const inside = entered(await gate.enter('a', { signal }))
    const startedMs = performance.now()
    const waiting = await gate.enter('a', { signal: AbortSignal.timeout(50) })
    assert.equal(waiting.kind, 'denied')
    assert.ok(performance.now() - startedMs < 500)
    inside.leave('good')
  })
})

test('a host that fails is left alone, and other hosts do not notice', async () => {
  const photo = randomBytes(1000)
  const blobCid = blobCidOf(createHash('sha256').update(photo).digest('hex'))
  await using bad = await startHost((_request, response) => void response.writeHead(503).end())
  await using hanging = await startHost(() => undefined)
  await using good = await startHost((_request, response) => void response.end(photo))
  let nowMs = 1_800_000_000_000
  const clock = () => nowMs
  const guardedFetch = publicHosts({
    'https://bad.net': bad.origin,
    'https://hanging.net': hanging.origin,
    'https://good.net': good.origin,
  })
  const limits = { headerTimeMs: 1000, requestsPerSecond: 1000 }
  const fetcher = createBlobFetcher({
    clock,
    client: createHostClient({ clock, guardedFetch, limits }),
    resolver: {
      pdsOf: (did) => Promise.resolve({ kind: 'found', pds: `https://${did}.net` }),
      signingKeyOf: () => Promise.resolve(undefined),
      handleOf: async () => undefined,
      forget: () => undefined,
    },
  })
  const fetchFrom = (did: string) => fetcher.fetch({ did, blobCid, signal })
  const slow = Array.from({ length: 12 }, () => fetchFrom('hanging'))
  await delay(20)
  const startedMs = performance.now()
  for (let i = 0; i < 8; i++) await fetchFrom('bad')
  assert.equal(bad.requests.length, 5)
  const open = await fetchFrom('bad')
  assert.deepEqual(open, {
    kind: 'deferred',
    host: 'https://bad.net',
    reason: 'host-failing',
    untilMs: nowMs + 30_000,
  })
  for (let i = 0; i < 8; i++) assert.equal((await fetchFrom('good')).kind, 'bytes')
  assert.ok(performance.now() - startedMs < 900, 'the hanging host held nobody up')
  for (const outcome of await Promise.all(slow)) assert.equal(outcome.kind, 'deferred')
  assert.equal(hanging.requests.length, 8, 'two rounds of four, then the breaker')

  nowMs += 30_001
  bad.answer((_request, response) => void response.end(photo))
  assert.equal((await fetchFrom('bad')).kind, 'bytes')
})

function entered(admission: Admission): Admission & { kind: 'entered' } {
  assert.ok(admission.kind === 'entered', 'was denied')
  return admission
}
