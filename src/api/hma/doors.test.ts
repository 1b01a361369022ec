import assert from 'node:assert/strict'
import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { pdqOfBytes } from '../../testing/world.ts'
import { hmaInTest, sharedWorld } from './hma-in-test.ts'
import { isPrivateName } from './doors.ts'

describe('the listener without keys', { timeout: 120_000 }, () => {
  const world = sharedWorld({ BLOBWATCH_HMA_WRITE: 'off' })
  const status = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(`${world.now.hmaUrl}${path}`, { headers })).status

  test('answers from a network that is named, and changes nothing', async () => {
    const { hma } = world.now
    assert.equal((await hma('GET', '/c/banks')).status, 200)
    for (const [method, path] of [
      ['POST', '/c/banks'],
      ['PUT', '/c/bank/X'],
      ['DELETE', '/c/bank/X'],
      ['POST', '/c/exchanges'],
      ['DELETE', '/c/exchange/X'],
      ['POST', '/c/exchanges/api/tat'],
      ['POST', '/c/bank/X/signal'],
      ['DELETE', '/c/bank/X/content/1'],
    ] as const) {
      const { status, json } = await hma(
        method,
        path,
        method === 'DELETE' ? undefined : { name: 'X' },
      )
      assert.deepEqual([status, /BLOBWATCH_HMA_WRITE/.test(json.message)], [403, true], path)
    }
  })

  test('answers nobody through a proxy, and no page in a browser', async () => {
    for (const header of [
      ...['x-forwarded-for', 'forwarded', 'X-Real-IP', 'via', 'CF-Connecting-IP', 'X-Client-IP'],
      ...['True-Client-IP', 'X-Forwarded-Proto', 'X-Envoy-External-Address', 'CDN-Loop'],
    ])
      assert.equal(await status('/status', { [header]: '127.0.0.1' }), 403, header)
    assert.equal(await status('/status', { origin: 'https://example.com' }), 403)
    assert.equal(await status('/status', { 'sec-fetch-site': 'cross-site' }), 403)
  })

  test('answers to no name that a stranger may have pointed here', async () => {
    const asked = (host: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        request(`${world.now.hmaUrl}/status`, { headers: { host } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on('error', reject)
          .end()
      })
    assert.equal(await asked('rebound.example.com'), 403)
    assert.equal(await asked('localhost:5100'), 200)
    assert.equal(await asked('hma:5100'), 200)
  })

  test('refuses a body that is announced as too large before it comes, and one that never comes stops nobody', async () => {
    const { hostname, port } = new URL(world.now.hmaUrl)
    const start = (length: number) => {
      const socket = connect({ host: hostname, port: Number(port) })
      socket.on('error', () => undefined)
      const type = 'multipart/form-data; boundary=x'
      socket.write(
        `POST /h/hash HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n--x`,
      )
      return socket
    }
    const huge = start(2 ** 30)
    const answer = await new Promise<string>((resolve) =>
      huge.once('data', (data) => resolve(String(data))),
    )
    assert.match(answer, /^HTTP\/1\.1 413 /)
    huge.destroy()
    const slow = Array.from({ length: 20 }, () => start(1000))
    assert.equal(await status('/h/hash?url=file:///x'), 400)
    for (const socket of slow) socket.destroy()
  })

  test('is not led astray by paths', async () => {
    const raw = (path: string) =>
      new Promise<number | undefined>((resolve, reject) => {
        const { hostname, port } = new URL(world.now.hmaUrl)
        request({ hostname, port, path, headers: { host: 'localhost' } }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
          .on('error', reject)
          .end()
      })
    for (const path of [
      '/c/bank/../banks',
      '/c/bank/%2e%2e/banks',
      '/c/bank/%00',
      '/c/bank/A%2FB',
      `/c/bank/${'A'.repeat(4000)}`,
      '/c/bank/A/content/99999999999999999999',
      '/c/bank/A/content/-1',
      '/c/bank/%ff',
      '/c/exchange/%00',
      '/c/exchanges/api/__proto__',
      '/c/exchanges/api/constructor/schema',
      '/m/lookup?signal=%00&signal_type=pdq',
      '/m/lookup?signal=a&signal_type=__proto__',
      '/m/raw_lookup?signal=%00&signal_type=pdq&banks=%00',
      '/h/hash?url=%00',
      '/h/hash?url=http://a&types=__proto__',
      '/nope',
    ]) {
      const found = (await raw(path)) ?? 0
      assert.ok((found >= 400 && found < 500) || path.endsWith('/banks'), `${path}: ${found}`)
    }
  })

  test('gives HTML where no route is, as HMA does', async () => {
    const gone = await world.now.hma('GET', '/h/nope')
    assert.deepEqual(
      [gone.status, gone.headers.get('content-type')],
      [404, 'text/html; charset=utf-8'],
    )
    const method = await world.now.hma('DELETE', '/m/lookup')
    assert.deepEqual(
      [method.status, method.headers.get('allow')],
      [405, 'GET, POST, HEAD, OPTIONS'],
    )
  })

  test('answers a thousand that ask at once', async () => {
    const path = `${world.now.hmaUrl}/m/lookup?signal=${pdqOfBytes('many')}&signal_type=pdq`
    // The listener takes 1000 connections; some are the tests' own.
    const agent = new Agent({ keepAlive: true, maxSockets: 500 })
    const ask = () =>
      new Promise<number | undefined>((resolve, reject) => {
        request(path, { agent }, (response) => {
          response.resume()
          response.once('end', () => resolve(response.statusCode))
        })
          .on('error', reject)
          .end()
      })
    const all = await Promise.all(Array.from({ length: 1000 }, ask))
    agent.destroy()
    assert.deepEqual([...new Set(all)], [200])
  })

  test('logs no error for what it was sent', () => {
    assert.deepEqual(world.now.lines, [])
  })

  test('its routes are in the site map and in OpenAPI, each in both', async () => {
    const { hma, url } = world.now
    const rules: string[] = (await hma('GET', '/site-map')).json
    const { info, paths } = (await hma('GET', '/openapi/openapi.json')).json
    assert.equal(info.title, 'Open Media Match API')
    const asRules = Object.keys(paths).map((path) =>
      path.replace('{content_id}', '<int:content_id>').replaceAll(/\{(\w+)\}/g, '<$1>'),
    )
    assert.deepEqual(asRules.toSorted(), rules)
    assert.ok(rules.includes('/c/bank/<bank_name>/content/<int:content_id>'))
    for (const path of ['/site-map', '/openapi/openapi.json', '/status', '/status/live'])
      assert.equal((await fetch(`${url}${path}`)).status, 200, `without a key: ${path}`)
    const start = await hma('GET', '/')
    assert.deepEqual([start.status, start.headers.get('location')], [302, '/status'])
  })
})

describe('where it listens', { timeout: 120_000 }, () => {
  test('answers nobody from a network that is not named', async (t) => {
    const world = await hmaInTest(t, { BLOBWATCH_HMA_NETWORKS: '10.0.0.0/8' })
    const { status, json } = await world.hma('GET', '/status')
    assert.deepEqual([status, /network/.test(json.message)], [403, true])
  })

  test('listens on a unix socket that its owner and group may open', async (t) => {
    const dir = await mkdtemp(join(tmpdir(), 'blobwatch-hma-'))
    t.after(() => rm(dir, { recursive: true, force: true }))
    const socketPath = join(dir, 'hma.sock')
    const world = await hmaInTest(t, { BLOBWATCH_HMA_PORT: '', BLOBWATCH_HMA_SOCKET: socketPath })
    assert.equal(world.hmaUrl, `unix:${socketPath}`)
    assert.equal((await stat(socketPath)).mode & 0o777, 0o660)
    const status = await new Promise((resolve, reject) => {
      request({ socketPath, path: '/status' }, (response) => {
        response.resume()
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    assert.equal(status, 200)
  })

  test('knows the names that nobody else can own', () => {
    for (const name of [
      '127.0.0.1',
      '127.0.0.1:5100',
      '[::1]:5100',
      'localhost',
      'hma',
      'hma:80',
      'a.internal',
      'a.svc.cluster.local:1',
    ])
      assert.ok(isPrivateName(name), name)
    for (const name of [
      'example.com',
      'localhost.example.com',
      '127.0.0.1.nip.io',
      'a.local.',
      '',
      'a b',
      '[x]',
    ])
      assert.ok(!isPrivateName(name), name)
  })
})
