import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { filesUrl, form, sharedWorld } from './hma-in-test.ts'

describe("HMA's hasher", { timeout: 120_000 }, () => {
  const world = sharedWorld()
  const hash = (query: string) => world.now.hma('GET', `/h/hash?${query}`)
  const says = async (query: string, status: number, message: RegExp) => {
    const answer = await hash(query)
    assert.equal(answer.status, status, answer.text)
    assert.match(answer.json.message, message)
  }

  test('hashes a photo by its address', async () => {
    const { status, json } = await hash(`url=${filesUrl}/photo.png`)
    assert.equal(status, 200)
    assert.deepEqual(Object.keys(json), ['pdq'])
    assert.match(json.pdq, /^[0-9a-f]{64}$/)
  })

  test('hashes a video by its address', async () => {
    const { json } = await hash(`url=${filesUrl}/clip.mp4`)
    const md5 = createHash('md5')
      .update(world.now.files['/clip.mp4']?.bytes ?? '')
      .digest('hex')
    assert.deepEqual(json, { video_md5: md5 })
  })

  test('hashes an upload by the name of its field, the same as by its address', async () => {
    const bytes = world.now.files['/photo.png']?.bytes ?? new Uint8Array()
    const uploaded = await world.now.hma('POST', '/h/hash', form('photo', bytes))
    assert.equal(uploaded.status, 200, uploaded.text)
    assert.deepEqual(uploaded.json, (await hash(`url=${filesUrl}/photo.png`)).json)
  })

  test('gives the empty hash where a photo shows too little', async () => {
    const { status, json } = await hash(`url=${filesUrl}/flat.png`)
    assert.deepEqual({ status, json }, { status: 200, json: { pdq: '' } })
  })

  test('takes the types and the content type that are asked for', async () => {
    const { json } = await hash(`url=${filesUrl}/nameless&content_type=photo&types=pdq,sha256`)
    const sha256 = createHash('sha256')
      .update(world.now.files['/nameless']?.bytes ?? '')
      .digest('hex')
    assert.deepEqual(Object.keys(json), ['pdq', 'sha256'])
    assert.equal(json.sha256, sha256)
    const video = await hash(`url=${filesUrl}/photo.png&content_type=video`)
    assert.deepEqual(Object.keys(video.json), ['video_md5'])
  })

  test('tells a missing url as pydantic does', async () => {
    const { status, json } = await hash('types=pdq')
    assert.equal(status, 422)
    assert.ok(Array.isArray(json))
    assert.deepEqual(
      { type: json[0].type, loc: json[0].loc, msg: json[0].msg },
      { type: 'missing', loc: ['url'], msg: 'Field required' },
    )
  })

  test('refuses what it cannot name, with the words that clients know', async () => {
    await says(
      `url=${filesUrl}/page.html`,
      400,
      /^unsupported url ContentType: 'text\/html', if you/,
    )
    await says(
      `url=${filesUrl}/photo.png&types=nope`,
      400,
      /^signal type 'nope' doesn't exist or is disabled$/,
    )
    await says(`url=${filesUrl}/photo.png&types=,`, 400, /^empty signal type selection$/)
    await says(`url=${filesUrl}/photo.png&content_type=file`, 400, /^no such content_type: 'file'$/)
    await says(`url=${filesUrl}/gone.png`, 400, /^Failed to fetch URL: /)
  })

  test('fetches from no private address and no other scheme', async () => {
    for (const url of [
      'http://127.0.0.1:1/x',
      'http://169.254.169.254/',
      'http://localhost/',
      'file:///etc/passwd',
      'nonsense',
      'https://a:b@example.com/',
    ])
      await says(
        `url=${encodeURIComponent(url)}`,
        400,
        /^(Invalid or unsafe URL provided|Failed to fetch URL: )/,
      )
  })

  test('refuses uploads that are not one file', async () => {
    const bytes = world.now.files['/photo.png']?.bytes ?? new Uint8Array()
    const post = async (body: FormData | object | undefined) => {
      const { status, json } = await world.now.hma('POST', '/h/hash', body)
      return `${status} ${json.message}`
    }
    assert.equal(await post({}), '400 Missing multipart/form-data file upload')
    assert.equal(await post(undefined), '400 Missing multipart/form-data file upload')
    assert.equal(await post(new FormData()), '400 Missing multipart/form-data file upload')
    assert.equal(await post(form('file', bytes)), "400 no such content_type: 'file'")
    const two = form('photo', bytes)
    two.append('video', new Blob(['x']), 'two')
    assert.equal(await post(two), '400 Only one file allowed per request')
  })
})
