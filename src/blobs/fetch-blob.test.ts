import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { describe, test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { startHost, unhurried } from './loopback-host.ts'
import {
  deferred,
  did,
  fetcherFor,
  fetchFrom,
  pairUrl,
  photo,
  photoCid,
  unavailable,
} from './pds-stand-in.ts'

describe('fetching a blob', { timeout: 30_000 }, () => {
  test('gives the bytes that the CID names', async () => {
    await using pds = await startHost((_request, response) => {
      response.setHeader('content-type', 'Image/PNG; charset=x')
      response.end(photo)
    })
    const outcome = await fetchFrom(pds)
    assert.deepEqual(outcome, {
      kind: 'bytes',
      host: pairUrl,
      bytes: new Uint8Array(photo),
      contentType: 'image/png',
    })
    assert.equal(
      pds.requests[0]?.url,
      `/xrpc/com.atproto.sync.getBlob?did=${encodeURIComponent(did)}&cid=${photoCid}`,
    )
  })

  test('sends no credential, no cookie and asks for no encoding', async () => {
    await using pds = await startHost((_request, response) => {
      response.setHeader('set-cookie', 'a=b; Path=/')
      response.end(photo)
    })
    const fetcher = fetcherFor(pds)
    await fetcher.fetch({ did, blobCid: photoCid, signal: unhurried })
    await fetcher.fetch({ did, blobCid: photoCid, signal: unhurried })
    assert.equal(pds.requests.length, 2)
    for (const { headers } of pds.requests) {
      assert.equal(headers.authorization, undefined)
      assert.equal(headers.cookie, undefined)
      assert.equal(headers['accept-encoding'], 'identity')
      assert.equal(headers['user-agent'], 'blobwatch')
      assert.equal(headers.referer, undefined)
    }
  })

  const encodings = {
    gzip: gzipSync(photo),
    deflate: deflateSync(photo),
    br: brotliCompressSync(photo),
    zstd: zstdCompressSync(photo),
    'gzip, br': brotliCompressSync(gzipSync(photo)),
  }
  for (const [encoding, body] of Object.entries(encodings)) {
    test(`verifies the decoded bytes of a host that sends ${encoding} unasked`, async () => {
      await using pds = await startHost(
        (_request, response) =>
          void response.writeHead(200, { 'content-encoding': encoding }).end(body),
      )
      const outcome = await fetchFrom(pds)
      assert.equal(outcome.kind, 'bytes')
      assert.ok('bytes' in outcome && photo.equals(outcome.bytes))
    })
  }

  test('settles as wrong-cid what is not the blob', async () => {
    const html = Buffer.from('<!doctype html><title>Welcome</title>')
    for (const body of [html, photo.subarray(1), Buffer.concat([photo, photo]), Buffer.alloc(0)]) {
      await using pds = await startHost((_request, response) => void response.end(body))
      assert.deepEqual(await fetchFrom(pds), unavailable('wrong-cid'))
    }
  })

  test('does not ask for a CID that cannot be verified', async () => {
    await using pds = await startHost()
    const dagCbor = 'bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua'
    for (const blobCid of [dagCbor, 'nonsense', '']) {
      const outcome = await fetcherFor(pds).fetch({ did, blobCid, signal: unhurried })
      assert.equal('reason' in outcome && outcome.reason, 'wrong-cid')
    }
    assert.equal(pds.connections(), 0)
  })

  test('ends a gzip bomb at the limit of decoded bytes', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024))
    assert.ok(bomb.length < 100_000)
    await using pds = await startHost(
      (_request, response) =>
        void response
          .writeHead(200, { 'content-encoding': 'gzip', 'content-length': bomb.length })
          .end(bomb),
    )
    assert.deepEqual(await fetchFrom(pds, { blobBytesMax: 1024 * 1024 }), unavailable('too-large'))
  })

  test('ends an endless body at the limit and closes the socket', async () => {
    const closed = Promise.withResolvers<void>()
    await using pds = await startHost((_request, response) => {
      response.on('close', () => closed.resolve())
      const chunk = Buffer.alloc(64 * 1024)
      const more = () => {
        while (!response.destroyed && response.write(chunk));
      }
      response.on('drain', more)
      more()
    })
    assert.deepEqual(await fetchFrom(pds, { blobBytesMax: 1024 * 1024 }), unavailable('too-large'))
    await closed.promise
  })

  test('reads nothing of a body that is declared too large', async () => {
    await using pds = await startHost((_request, response) => {
      response.writeHead(200, { 'content-length': 10_000_000 }).write('a')
    })
    assert.deepEqual(await fetchFrom(pds, { blobBytesMax: 9_999_999 }), unavailable('too-large'))
  })

  test('takes a blob of exactly the limit and no byte more', async () => {
    // Without a declared length, so that only the count can tell.
    await using pds = await startHost((_request, response) => {
      response.write(photo)
      response.end()
    })
    const exact = await fetchFrom(pds, { blobBytesMax: photo.length })
    assert.equal(exact.kind, 'bytes')
    const over = await fetchFrom(pds, { blobBytesMax: photo.length - 1 })
    assert.deepEqual(over, unavailable('too-large'))
  })

  test('bounds what all reads together hold', async () => {
    await using pds = await startHost((_request, response) => {
      response.write(photo)
      setTimeout(() => response.end(), 300)
    })
    const fetcher = fetcherFor(pds, { bytesInFlightMax: photo.length + 100 })
    const request = { did, blobCid: photoCid, signal: unhurried }
    const outcomes = await Promise.all([fetcher.fetch(request), fetcher.fetch(request)])
    assert.deepEqual(outcomes.map(({ kind }) => kind).toSorted(), ['bytes', 'deferred'])
    assert.equal((await fetcher.fetch(request)).kind, 'bytes')
  })

  test('never takes more bytes than declared for the blob', async () => {
    const head = (declared: number) => `HTTP/1.1 200 OK\r\ncontent-length: ${declared}\r\n\r\n`
    await using pds = await startHost((_request, response) => {
      response.socket?.write(Buffer.concat([Buffer.from(head(photo.length - 10)), photo]))
    })
    assert.deepEqual(await fetchFrom(pds), unavailable('wrong-cid'))
    // What is past the end is not part of the answer, and does not become the next one.
    pds.answer((_request, response) => {
      response.socket?.write(Buffer.concat([Buffer.from(head(photo.length)), photo, photo]))
    })
    const fetcher = fetcherFor(pds, { knownAfterAnswers: 0 })
    for (let i = 0; i < 2; i++) {
      const outcome = await fetcher.fetch({ did, blobCid: photoCid, signal: unhurried })
      assert.ok('bytes' in outcome ? photo.equals(outcome.bytes) : outcome.kind === 'deferred')
    }
  })

  test('is deferred when the connection is cut before the declared end', async () => {
    await using pds = await startHost((_request, response) => {
      response.writeHead(200, { 'content-length': photo.length })
      response.write(photo.subarray(0, 100), () => response.destroy())
    })
    assert.deepEqual(await fetchFrom(pds), deferred('network'))
  })

  test('settles as bad-answer what is not HTTP or not the encoding that it says', async () => {
    await using pds = await startHost((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('this is not gzip')
    })
    assert.deepEqual(await fetchFrom(pds), unavailable('bad-answer'))
    pds.answer((_request, response) => void response.socket?.end('garbage\r\n\r\n'))
    assert.deepEqual(await fetchFrom(pds), unavailable('bad-answer'))
    pds.answer((_request, response) => {
      response.socket?.end(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(100_000)}\r\n\r\n`)
    })
    assert.deepEqual(await fetchFrom(pds), unavailable('bad-answer'))
    for (const status of [201, 204, 206, 304]) {
      pds.answer((_request, response) => void response.writeHead(status).end())
      assert.deepEqual(await fetchFrom(pds), unavailable('bad-answer'), String(status))
    }
  })
})

describe('a host that takes its time', { timeout: 30_000 }, () => {
  test('is deferred when no header comes', async () => {
    await using pds = await startHost(() => undefined)
    assert.deepEqual(await fetchFrom(pds, { headerTimeMs: 100 }), deferred('timeout'))
  })

  test('is deferred when the whole takes too long, however fast it drips', async () => {
    await using pds = await startHost(dripping(photo, 200, 20))
    const outcome = await fetchFrom(pds, { totalTimeMs: 300, headerTimeMs: 250 })
    assert.deepEqual(outcome, deferred('timeout'))
  })

  test('is deferred when too little comes in a window', async () => {
    await using pds = await startHost(dripping(photo, 1, 20))
    const limits = { throughputWindowMs: 200, throughputBytesMin: 1000 }
    const startedMs = performance.now()
    assert.deepEqual(await fetchFrom(pds, limits), deferred('timeout'))
    assert.ok(performance.now() - startedMs < 2000)
  })

  test('is deferred when it stops after a good start', async () => {
    await using pds = await startHost((_request, response) => void response.write(photo))
    const limits = { throughputWindowMs: 100, throughputBytesMin: 1000 }
    assert.deepEqual(await fetchFrom(pds, limits), deferred('timeout'))
  })

  test('may be slow, as long as enough comes', async () => {
    await using pds = await startHost(dripping(photo, 2000, 30))
    const limits = { throughputWindowMs: 200, throughputBytesMin: 1000 }
    assert.equal((await fetchFrom(pds, limits)).kind, 'bytes')
  })

  test('is left when the caller gives up, and is not blamed for it', async () => {
    await using pds = await startHost(() => undefined)
    const fetcher = fetcherFor(pds, { failuresMax: 1 })
    const outcome = await fetcher.fetch({
      did,
      blobCid: photoCid,
      signal: AbortSignal.timeout(100),
    })
    assert.deepEqual(outcome, deferred('timeout'))
    pds.answer((_request, response) => void response.end(photo))
    const next = await fetcher.fetch({ did, blobCid: photoCid, signal: unhurried })
    assert.equal(next.kind, 'bytes')
    const over = await fetcher.fetch({ did, blobCid: photoCid, signal: AbortSignal.abort() })
    assert.equal(over.kind, 'deferred')
  })

  test('is deferred when it cannot be reached at all', async () => {
    const pds = await startHost()
    await pds[Symbol.asyncDispose]()
    assert.deepEqual(await fetchFrom(pds), deferred('network'))
  })
})

/** `bytes` in pieces of `size`, one every `everyMs`. */
function dripping(bytes: Buffer, size: number, everyMs: number): RequestListener {
  return (_request, response) => {
    let sent = 0
    const timer = setInterval(() => {
      response.write(bytes.subarray(sent, sent + size))
      sent += size
      if (sent < bytes.length) return
      clearInterval(timer)
      response.end()
    }, everyMs)
    response.on('close', () => clearInterval(timer))
  }
}
