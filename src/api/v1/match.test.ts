import assert from 'node:assert/strict'
import { after, describe, it } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { digest, matchInTest, turnedOver } from './match-in-test.ts'
import type { Answer, Problem } from './match-in-test.ts'

const { api, ask, own, stranger, near, pdq, bank, content, hashOf } = await matchInTest({
  after: (clean) => after(clean as () => void),
})

describe('POST /match', () => {
  const match = <Body = Answer>(json: unknown, key = own) => ask<Body>('/match', { key, json })
  const recorded = async () => {
    const [row] = await api.database.owner<{ n: number }[]>`select count(*) as n from api_match`
    return row?.n ?? 0
  }

  it('names what matches, with an id, and records it once', async () => {
    const asked = { hash_value: digest('known').toUpperCase(), hash_type: 'sha256', threshold: 0.9 }
    const before = await recorded()
    const { status, body } = await match(asked)
    assert.equal(status, 200)
    assert.equal(body.match_count, 1)
    const [found] = body.matches
    assert.equal(found?.bank_name, 'NCMEC')
    assert.match(found?.match_id ?? '', /^m_[\w-]{16}$/)
    assert.deepEqual((await match(asked)).body, body)
    assert.equal(await recorded(), before + 1)
    const other = await match(asked, near)
    assert.notEqual(other.body.matches[0]?.match_id, found?.match_id)
  })

  it('writes nothing when nothing matches', async () => {
    const before = await recorded()
    const { body } = await match({ hash_value: digest('unknown'), hash_type: 'sha256' })
    assert.deepEqual(body, { match_count: 0, matches: [] })
    assert.equal(await recorded(), before)
  })

  it('tells a stranger that a restricted bank matches and neither which nor what of it', async () => {
    const asked = { hash_value: digest('known'), hash_type: 'sha256' }
    const { body } = await match(asked, stranger)
    assert.deepEqual(Object.keys(body.matches[0] ?? {}).toSorted(), [
      'bank_name',
      'hash_type',
      'match_id',
    ])
    assert.equal(body.matches[0]?.bank_name, 'restricted')
    for (const banks of [['NCMEC'], ['NO_SUCH_BANK']]) {
      const refused = await match<Problem>({ ...asked, banks }, stranger)
      assert.equal(refused.status, 422)
      assert.equal(
        refused.body.detail,
        'A bank in banks is not there, or this key may not name it: restricted banks need bank:read.',
      )
    }
    assert.equal((await match({ ...asked, banks: ['SPAM'] })).body.match_count, 0)
    assert.equal((await match({ ...asked, banks: ['NCMEC', 'SPAM'] })).body.match_count, 1)
  })

  it('tells how near only to keys that may know', async () => {
    const asked = { hash_value: turnedOver(pdq, 16), hash_type: 'pdq' }
    const [seen] = (await match(asked, near)).body.matches
    assert.deepEqual([seen?.distance, seen?.similarity], [16, 1 - 16 / 256])
    const [hidden] = (await match(asked)).body.matches
    assert.deepEqual(
      [hidden?.bank_name, hidden?.distance, hidden?.similarity],
      ['SPAM', undefined, undefined],
    )
  })

  it('takes a threshold as the largest distance, and never goes beyond the bank', async () => {
    const count = async (bits: number, threshold?: number) =>
      (await match({ hash_value: turnedOver(pdq, bits), hash_type: 'pdq', threshold })).body
        .match_count
    // floor((1 - 0.9) * 256) = 25
    assert.deepEqual([await count(25, 0.9), await count(26, 0.9)], [1, 0])
    assert.deepEqual([await count(0, 1), await count(1, 1)], [1, 0])
    assert.deepEqual([await count(31, 0), await count(32, 0)], [1, 0])
    assert.deepEqual([await count(31), await count(32)], [1, 0])
    const md5 = { hash_value: digest('spam').slice(0, 32), hash_type: 'md5', threshold: 1 }
    assert.equal((await match(md5)).body.match_count, 1)
  })

  it('compares no PDQ of low quality', async () => {
    const asked = { hash_value: pdq, hash_type: 'pdq' }
    assert.equal((await match({ ...asked, quality: 49 })).body.match_count, 0)
    assert.equal((await match({ ...asked, quality: 50 })).body.match_count, 1)
  })

  it('lets a bank of harmless pictures keep others from matching, at its own distance', async () => {
    const bad = (await hashOf(2)).hash
    await bank('GORE', 'open')
    await content('GORE', [{ type: 'pdq', value: bad, quality: 100 }])
    await bank('HARMLESS', 'open', { suppresses: 'all', pdqDistanceMax: 31 })
    await api.service.parts.bankBook.refresh()
    const asked = { hash_value: bad, hash_type: 'pdq', threshold: 1 }
    assert.equal((await match(asked)).body.match_count, 1)
    await content('HARMLESS', [{ type: 'pdq', value: turnedOver(bad, 20), quality: 100 }])
    await api.service.parts.bankBook.refresh()
    assert.equal((await match(asked)).body.match_count, 0)
  })

  it('looks at the share of blobs that a bank looks at, where the digest tells', async () => {
    await bank('SAMPLED', 'open', { ratio: 0.0000001, ratioSeed: 'x' })
    await content('SAMPLED', [
      { type: 'sha256', value: digest('sampled') },
      { type: 'md5', value: digest('sampled').slice(0, 32) },
    ])
    await api.service.parts.bankBook.refresh()
    const count = async (type: string, value: string) =>
      (await match({ hash_value: value, hash_type: type })).body.match_count
    assert.equal(await count('sha256', digest('sampled')), 0)
    assert.equal(await count('md5', digest('sampled').slice(0, 32)), 1)
  })

  it('never tells a hash that the caller did not send', async () => {
    const asked = { hash_value: turnedOver(pdq, 5), hash_type: 'pdq' }
    const text = JSON.stringify((await match(asked, near)).body)
    assert.ok(!text.includes(pdq) && !text.includes(asked.hash_value))
    const rows = await api.database.owner`select to_jsonb(m)::text as row from api_match m`
    assert.ok(rows.length > 0)
    for (const { row } of rows) assert.ok(!String(row).includes(pdq))
    assert.ok(!api.lines.join('').includes(pdq))
  })

  it('refuses what is no question', async () => {
    const good = { hash_value: pdq, hash_type: 'pdq' }
    const wrong = [
      ...['', 'zz', `${pdq}0`, pdq.slice(1), 7, null, {}].map((hash_value) => ({
        ...good,
        hash_value,
      })),
      ...['PDQ', 'phash', '', 1, null].map((hash_type) => ({ ...good, hash_type })),
      ...[-0.1, 1.1, '0.9', null].map((threshold) => ({ ...good, threshold })),
      ...[[], 'SPAM', [1], ['SPAM\0']].map((banks) => ({ ...good, banks })),
      ...[[], 'text', 1, null],
    ]
    for (const json of wrong) {
      const { status } = await match(json)
      assert.equal(status, 422, JSON.stringify(json))
    }
    const deep = `{"hash_value":${'['.repeat(7_000)}${']'.repeat(7_000)},"hash_type":"pdq"}`
    const headers = { 'content-type': 'application/json' }
    const send = (body: string) => ask('/match', { method: 'POST', key: own, body, headers })
    assert.equal((await send(deep)).status, 422)
    assert.equal((await send('{')).status, 400)
    assert.equal((await send(JSON.stringify({ pad: 'x'.repeat(20_000) }))).status, 413)
    const last = `{"hash_type":"md5","hash_value":"${pdq}","hash_type":"pdq"}`
    assert.equal((await send(last)).status, 200)
  })

  // Last: the connections of it stay open for some seconds.
  it('answers, of two thousand at once, all that it lets in, and is there afterwards', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 2_000 }, (_, n) =>
        match({ hash_value: n % 10 === 0 ? pdq : digest(`n${n}`), hash_type: 'pdq' }),
      ),
    )
    const answered = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    assert.ok(answered.length >= 500, `${answered.length} answers`)
    for (const { status, body } of answered)
      assert.ok(status === 200 && body.match_count <= 1 && body.matches.length === body.match_count)
    await setTimeout(6_000)
    assert.equal((await match({ hash_value: pdq, hash_type: 'pdq' })).body.match_count, 1)
  })
})
