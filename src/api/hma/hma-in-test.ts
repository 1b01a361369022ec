// A started service that answers HMA's clients, with files at an address that it may fetch from.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before } from 'node:test'
import type { TestContext } from 'node:test'
import sharp from 'sharp'
import { addContent, createBank } from '../../banks/bank-store.ts'
import type { NewSignal } from '../../banks/new-signal.ts'
import type { BankPolicy } from '../../domain/bank.ts'
import { picture } from '../../signals/fixtures/hostile.ts'
import { pdqOfBytes } from '../../testing/world.ts'
import { apiInTest } from '../api-in-test.ts'
import type { ApiInTest } from '../api-in-test.ts'

export type Answer = { status: number; text: string; json: any; headers: Headers }
export type Ask = (method: string, path: string, body?: unknown) => Promise<Answer>

/** Where the service believes the files to be. */
export const filesUrl = 'https://pds.example.com'

export type HmaInTest = ApiInTest & {
  /** On the listener without keys. A plain object goes as JSON, FormData as it is. */
  hma: Ask
  /** The same on the private listener. */
  keyed: (key: string) => Ask
  files: Record<string, { type?: string; bytes: Uint8Array }>
  bank: (
    name: string,
    policy?: Partial<BankPolicy>,
    more?: { confidential?: boolean },
  ) => Promise<void>
  /** Live in every process of the test when this returns. */
  content: (
    bank: string,
    signals: NewSignal[],
    words?: { note?: string; metadata?: object },
  ) => Promise<number>
  /** Whatever is committed now is matched. */
  settled: () => Promise<void>
}

export async function hmaInTest(
  t: Pick<TestContext, 'after'>,
  settings: Record<string, string> = {},
): Promise<HmaInTest> {
  const files = await someFiles()
  const filesAddress = await serveFiles(t, files)
  const api = await apiInTest(t, {
    BLOBWATCH_HMA_PORT: '0',
    BLOBWATCH_HMA_WRITE: 'on',
    BLOBWATCH_PDS_URL: filesUrl,
    BLOBWATCH_PDS_ADDRESS: filesAddress,
    BLOBWATCH_FIREHOSE_URL: 'off',
    ...settings,
  })
  const { app: db } = api.database
  const principal = api.person
  const settled = () => api.service.parts.bankBook.refresh()
  return {
    ...api,
    files,
    hma: asker(api.hmaUrl),
    keyed: (key) => asker(api.url, { authorization: `Bearer ${key}` }),
    settled,
    async bank(name, policy, more) {
      const given = {
        name,
        mode: 'observe',
        class: 'restricted',
        principal,
        nowMs: Date.now(),
      } as const
      await createBank(db, { ...given, ...more, ...(policy && { policy }) })
      await settled()
    },
    async content(bank, signals, words) {
      const added = await addContent(db, { bank, signals, ...words, principal, nowMs: Date.now() })
      await settled()
      return added.content
    },
  }
}

/** For the tests of one file: made before the first, ended after the last. */
export function sharedWorld(settings: Record<string, string> = {}): { now: HmaInTest } {
  const cleaning: (() => unknown)[] = []
  const shared = { now: undefined as unknown as HmaInTest }
  before(async () => {
    const t = { after: (clean: () => unknown) => void cleaning.push(clean) }
    shared.now = await hmaInTest(t, settings)
  })
  after(async () => {
    for (const clean of cleaning.toReversed()) await clean()
  })
  return shared
}

export function asker(url: string, headers: Record<string, string> = {}): Ask {
  return async (method, path, body) => {
    const isForm = body instanceof FormData
    const response = await fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        ...headers,
        ...(body !== undefined && !isForm && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, text, json: asJson(text), headers: response.headers }
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

export function form(
  field: string,
  bytes: Uint8Array,
  texts: Record<string, string> = {},
): FormData {
  const made = new FormData()
  for (const [name, value] of Object.entries(texts)) made.set(name, value)
  made.set(field, new Blob([new Uint8Array(bytes)]), 'file')
  return made
}

export const pdq = (text: string): NewSignal => ({ type: 'pdq', value: pdqOfBytes(text) })

/** The hash with that many of its bits turned over. */
export function near(hex: string, bits: number): string {
  const bytes = Buffer.from(hex, 'hex')
  for (let bit = 0; bit < bits; bit++)
    bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7))
  return bytes.toString('hex')
}

async function someFiles(): Promise<HmaInTest['files']> {
  const grey = { width: 64, height: 64, channels: 3 as const, background: { r: 90, g: 90, b: 90 } }
  return {
    '/photo.png': { type: 'image/png', bytes: await picture('png') },
    '/flat.png': { type: 'image/png', bytes: await sharp({ create: grey }).png().toBuffer() },
    '/clip.mp4': {
      type: 'video/mp4',
      bytes: Buffer.from('\0\0\0\x18ftypmp42....a harmless video'),
    },
    '/page.html': { type: 'text/html', bytes: Buffer.from('<p>no picture') },
    '/nameless': { bytes: await picture('png') },
    '/torn.png': { type: 'image/png', bytes: (await picture('png')).subarray(0, 40) },
  }
}

async function serveFiles(
  t: Pick<TestContext, 'after'>,
  files: HmaInTest['files'],
): Promise<string> {
  const server = createServer((request, response) => {
    const file = files[request.url ?? '']
    if (file === undefined) response.writeHead(404).end()
    else
      response.writeHead(200, { ...(file.type && { 'content-type': file.type }) }).end(file.bytes)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  assert.ok(port > 0)
  return `http://127.0.0.1:${port}`
}
