import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../domain/errors.ts'
import { parseNetworks } from './networks.ts'

test('an address is in its network and in no other', () => {
  const networks = parseNetworks(['10.1.0.0/16', 'fd00::/8', '192.0.2.7'])
  for (const inside of ['10.1.0.0', '10.1.255.255', 'fd12::1', '192.0.2.7'])
    assert.ok(networks.has(inside), inside)
  for (const outside of ['10.2.0.0', 'fe80::1', '192.0.2.8', '', 'localhost', '10.1'])
    assert.ok(!networks.has(outside), outside)
})

test('what is no network is refused by name', () => {
  for (const text of [
    '10.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    'fd00::/129',
    'x',
    '10.0.0.0/8/8',
    '10.0.0.0/-1',
    '',
  ])
    assert.throws(() => parseNetworks([text]), UsageError, text)
  assert.throws(() => parseNetworks(['host.example']), /host\.example is no network/)
})
