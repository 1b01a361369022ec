// Every address that an account's owner, a redirect or a webhook can name, against the real guard and real listeners.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { blobCidOf } from '../domain/cid.ts'
import type { FetchOutcome } from '../domain/ports.ts'
import { createBlobFetcher } from './fetch-blob.ts'
import { createHostResolver } from './host-resolver.ts'
import { didDocument, resolveNames, startHost, unhurried } from './loopback-host.ts'
import type { LoopbackHost } from './loopback-host.ts'

// A loopback address of its own, so that the default https port can be listened on without meeting anybody else.
const trapAddress = '127.83.21.9'
const names = {
  'rebind.evil.net': [trapAddress],
  'mixed.evil.net': ['203.0.114.7', trapAddress],
  'late.evil.net': ['1.1.1.1', '1.0.0.1', '::1'],
  'ten.evil.net': ['10.0.0.1'],
  'linklocal.evil.net': ['169.254.169.254'],
  'zero.evil.net': ['0.0.0.0'],
  'cgnat.evil.net': ['100.64.0.1'],
  'six.evil.net': ['::1'],
  'mapped.evil.net': [`::ffff:${trapAddress}`],
  'nat64.evil.net': ['64:ff9b::7f00:1'],
  'unique-local.evil.net': ['fd00::1'],
  'sixlink.evil.net': ['fe80::1'],
  'sixtofour.evil.net': ['2002:7f00:1::'],
  'broadcast.evil.net': ['255.255.255.255'],
  'benchmark.evil.net': ['198.18.0.1'],
  'documentation.evil.net': ['192.0.2.1'],
  'localhost.localdomain': ['127.0.0.1'],
  'localhost.': ['127.0.0.1'],
  'metadata.google.internal': ['169.254.169.254'],
  'kubernetes.default.svc': ['10.96.0.1'],
  'host.docker.internal': ['192.168.65.2'],
  '10-0-0-1.nip.io': ['10.0.0.1'],
  localhost: ['127.0.0.1'],
  pds: ['172.18.0.2'],
}

// PORT is the listener's. Everything here must end without a connection to any listener.
const endpoints = [
  'http://127.0.0.1:PORT',
  'https://127.0.0.1:PORT',
  'http://localhost:PORT',
  'https://localhost:PORT',
  'http://[::1]:PORT',
  'https://[::1]:PORT',
  'http://127.0.0.1.:PORT',
  'http://127.1:PORT',
  'http://2130706433:PORT',
  'http://0x7f000001:PORT',
  'http://0x7f.1:PORT',
  'http://0177.0.0.1:PORT',
  'http://017700000001:PORT',
  'http://127.0.0.1%3APORT',
  'http://①②⑦.⓪.⓪.①:PORT',
  'http://127。0。0。1:PORT',
  'http://[::ffff:127.0.0.1]:PORT',
  'http://[::ffff:7f00:1]:PORT',
  'http://[0:0:0:0:0:ffff:127.0.0.1]:PORT',
  'http://[::127.0.0.1]:PORT',
  'http://0:PORT',
  'http://0.0.0.0:PORT',
  'http://[::]:PORT',
  'http://user:word@127.0.0.1:PORT',
  'http://pds.evil.net@127.0.0.1:PORT',
  'http://127.0.0.1:PORT#@pds.evil.net',
  'http://127.0.0.1:PORT\\@pds.evil.net',
  'http://localhost.localdomain:PORT',
  'http://rebind.evil.net:PORT',
  `https://${trapAddress}`,
  `https://${trapAddress}.`,
  'https://127.83.5385',
  'https://0x7f531509',
  'https://2136151305',
  'https://017724612411',
  `https://[::ffff:${trapAddress}]`,
  'https://[64:ff9b::7f53:1509]',
  'https://[::ffff:0:7f53:1509]',
  'https://rebind.evil.net',
  'https://REBIND.evil.net:443/path?query',
  'https://mixed.evil.net',
  'https://late.evil.net',
  'https://ten.evil.net',
  'https://linklocal.evil.net',
  'https://zero.evil.net',
  'https://cgnat.evil.net',
  'https://six.evil.net',
  'https://mapped.evil.net',
  'https://nat64.evil.net',
  'https://unique-local.evil.net',
  'https://sixlink.evil.net',
  'https://sixtofour.evil.net',
  'https://broadcast.evil.net',
  'https://benchmark.evil.net',
  'https://documentation.evil.net',
  'https://localhost',
  'https://localhost.',
  'https://localhost.localdomain',
  'https://a.localhost',
  'https://pds',
  'https://pds.local',
  'https://pds.test',
  'https://metadata.google.internal',
  'https://kubernetes.default.svc',
  'https://host.docker.internal',
  'https://10-0-0-1.nip.io',
  'https://10.0.0.1',
  'https://172.16.0.1',
  'https://192.168.0.1',
  'https://169.254.169.254',
  'http://169.254.169.254/latest/meta-data',
  'https://100.100.100.200',
  'https://[fd00:ec2::254]',
  'https://[fe80::1]',
  'https://8.8.8.8',
  'https://[2606:4700::1111]',
  'https://rebind.evil.net:8443',
  'http://rebind.evil.net',
]
const notHttp = [
  'ftp://127.0.0.1:PORT',
  'file:///etc/passwd',
  'gopher://127.0.0.1:PORT',
  'data:text/plain,x',
  'ws://127.0.0.1:PORT',
  'unix:/var/run/docker.sock',
  'http://[::1%25lo]:PORT',
  'http://256.0.0.1:PORT',
  'nonsense',
  '',
]

const did = `did:plc:${'a'.repeat(24)}`
const blobCid = blobCidOf('0'.repeat(64))

describe('SSRF', { timeout: 30_000 }, () => {
  let plc: LoopbackHost
  let four: LoopbackHost
  let six: LoopbackHost | undefined
  let trap: LoopbackHost | undefined
  let restoreNames: Disposable
  const listeners = () => [four, six, trap].filter((host) => host !== undefined)
  const fill = (text: string) => text.replaceAll('PORT', String(four.port))

  before(async () => {
    plc = await startHost()
    four = await startHost()
    six = await startHost(undefined, { address: '::1', port: four.port }).catch(() => undefined)
    trap = await startTrap()
    restoreNames = resolveNames(names)
  })
  after(async () => {
    restoreNames[Symbol.dispose]()
    for (const host of [plc, ...listeners()]) await host[Symbol.asyncDispose]()
  })

  function assertUntouched(outcome: FetchOutcome, what: string) {
    assert.equal(outcome.kind, 'unavailable', what)
    for (const host of listeners()) assert.equal(host.connections(), 0, what)
  }

  test('the trap can be reached, so that silence means the guard', async (t) => {
    if (trap === undefined) return t.skip('this machine gives no second loopback address')
    const control = await startControl()
    await fetch(`https://rebind.evil.net:${control.port}`).catch(() => undefined)
    await control.close()
    assert.equal(control.connections(), 1)
  })

  for (const endpoint of endpoints) {
    test(`a DID document that names ${endpoint} connects to nothing`, async () => {
      plc.answer((_request, response) => void response.end(didDocument(did, fill(endpoint))))
      const outcome = await newFetcher().fetch({ did, blobCid, signal: unhurried })
      assertUntouched(outcome, endpoint)
      assert.ok('reason' in outcome)
      const expected = URL.canParse(fill(endpoint)) ? 'forbidden-address' : 'no-pds'
      assert.equal(outcome.reason, expected, endpoint)
    })
  }

  for (const endpoint of [...notHttp, 17, { a: 'https://ten.evil.net' }, null, []]) {
    test(`a DID document that names ${JSON.stringify(endpoint)} names no host`, async () => {
      const named = typeof endpoint === 'string' ? fill(endpoint) : endpoint
      plc.answer((_request, response) => void response.end(didDocument(did, named)))
      const outcome = await newFetcher().fetch({ did, blobCid, signal: unhurried })
      if (outcome.kind === 'deferred') assert.equal(outcome.reason, 'bad-answer')
      else assertUntouched(outcome, JSON.stringify(endpoint))
    })
  }

  test('a webhook that names any of these addresses connects to nothing', async () => {
    for (const endpoint of [...endpoints, ...notHttp]) {
      const outcome = await newFetcher().fetchUrl({ url: fill(endpoint), signal: unhurried })
      assertUntouched(outcome, endpoint)
    }
  })

  test('a redirect from the pair to any of these addresses connects to nothing', async () => {
    await using pairHost = await startHost()
    const pair = { url: 'https://pds.watch.net', address: pairHost.origin }
    plc.answer((_request, response) => void response.end(didDocument(did, pair.url)))
    for (const endpoint of [...endpoints, ...notHttp]) {
      if (!URL.canParse(fill(endpoint))) continue
      const location = new URL(fill(endpoint)).href
      pairHost.answer((_request, response) => void response.writeHead(302, { location }).end())
      const outcome = await newFetcher(pair).fetch({ did, blobCid, signal: unhurried })
      assertUntouched(outcome, endpoint)
      assert.equal('reason' in outcome && outcome.reason, 'forbidden-address', endpoint)
    }
    assert.ok(pairHost.connections() > 0)
  })

  test('a redirect from the pair to its own address is refused as well', async () => {
    await using pairHost = await startHost()
    const pair = { url: 'https://rebind.evil.net', address: pairHost.origin }
    plc.answer((_request, response) => void response.end(didDocument(did, pair.url)))
    for (const location of [`${pairHost.origin}/x`, '/relative', '//rebind.evil.net/x', pair.url]) {
      pairHost.answer((_request, response) => void response.writeHead(307, { location }).end())
      pairHost.requests.length = 0
      const outcome = await newFetcher(pair).fetch({ did, blobCid, signal: unhurried })
      assertUntouched(outcome, location)
      assert.equal(pairHost.requests.length, 1)
    }
  })

  test('the address of the pair is no way in for a document that names it', async () => {
    const pair = { url: 'https://pds.watch.net', address: four.origin }
    for (const endpoint of [four.origin, 'http://pds.watch.net', 'https://pds.watch.net:444']) {
      plc.answer((_request, response) => void response.end(didDocument(did, endpoint)))
      assertUntouched(await newFetcher(pair).fetch({ did, blobCid, signal: unhurried }), endpoint)
    }
  })

  test('a did:web that names a private host connects to nothing', async () => {
    const hosts = [
      'localhost',
      'localhost%3APORT',
      '127.0.0.1',
      '127.0.0.1%3APORT',
      '%5B%3A%3A1%5D',
      '%5B%3A%3A1%5D%3APORT',
      '[::1]',
      '0x7f.1',
      '2136151305',
      '10.0.0.1',
      '169.254.169.254',
      'localhost.localdomain',
      'localhost.',
      'pds',
      ...Object.keys(names),
      'rebind.evil.net%3A8443',
      'rebind.evil.net%2Fpath',
      'user%40rebind.evil.net',
      'rebind.evil.net%3Fa',
      'rebind.evil.net:path',
      '%',
      '%00',
      '',
    ]
    // localhost with the PLC's own port: the one place where a did:web could meet something dialled plainly.
    plc.answer((_request, response) => void response.end(didDocument('did:web:localhost', 'x')))
    const before = plc.connections()
    for (const host of [...hosts, `localhost%3A${plc.port}`, `127.0.0.1%3A${plc.port}`]) {
      for (const plcUrl of [plc.origin, `http://localhost:${plc.port}`]) {
        const resolver = createHostResolver({ plcUrl, clock: Date.now })
        const webDid = `did:web:${fill(host)}`
        const lookup = await resolver.pdsOf(webDid, { signal: unhurried })
        assert.equal(lookup.kind, 'unavailable', host)
        for (const listener of listeners()) assert.equal(listener.connections(), 0, host)
      }
    }
    assert.equal(plc.connections(), before)
  })

  function newFetcher(pair?: { url: string; address: string }) {
    const resolver = createHostResolver({ plcUrl: plc.origin, clock: Date.now })
    return createBlobFetcher({ resolver, clock: Date.now, pair })
  }
})

function startTrap(): Promise<LoopbackHost | undefined> {
  return startHost(undefined, { address: trapAddress, port: 443 }).catch(() => undefined)
}

async function startControl() {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.destroy()
  }).listen(0, trapAddress)
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  return {
    port,
    connections: () => connections,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}
