import assert from 'node:assert/strict'
import { test } from 'node:test'
import { UsageError } from '../domain/errors.ts'
import { originOf, pairedAddress, parseHostPair } from './host-pair.ts'

const pair = parseHostPair({ url: 'https://pds.watch.net/', address: 'http://10.1.2.3:2583' })

test('a pair is two origins', () => {
  assert.deepEqual(pair, { url: 'https://pds.watch.net', address: 'http://10.1.2.3:2583' })
})

test('a pair that is more than two origins is refused with a sentence', () => {
  for (const text of [
    '',
    'pds.watch.net',
    'https://pds.watch.net/xrpc',
    'https://pds.watch.net/?a=b',
    'https://pds.watch.net/#a',
    'https://user:word@pds.watch.net',
    'ftp://pds.watch.net',
    'file:///etc/passwd',
  ]) {
    assert.throws(() => parseHostPair({ url: text, address: pair.address }), UsageError, text)
    assert.throws(() => parseHostPair({ url: pair.url, address: text }), UsageError, text)
  }
})

test('only the exact origin is dialled at the address', () => {
  assert.equal(pairedAddress('https://pds.watch.net', pair), pair.address)
  for (const origin of [
    'http://pds.watch.net',
    'https://pds.watch.net.',
    'https://pds.watch.net:8443',
    'https://a.pds.watch.net',
    'https://watch.net',
    'http://10.1.2.3:2583',
  ]) {
    assert.equal(pairedAddress(origin, pair), undefined, origin)
  }
  assert.equal(pairedAddress('https://pds.watch.net', undefined), undefined)
})

test('an endpoint is reduced to its origin', () => {
  assert.equal(originOf('https://PDS.watch.net:443/a?b#c'), 'https://pds.watch.net')
  assert.equal(originOf('https://user:word@pds.watch.net'), 'https://pds.watch.net')
  assert.equal(originOf('ftp://pds.watch.net'), undefined)
  assert.equal(originOf('javascript:alert(1)'), undefined)
  assert.equal(originOf('nonsense'), undefined)
})
