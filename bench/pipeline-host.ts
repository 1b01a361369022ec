// The PDS and the PLC directory of the pipeline bench, a process of its own: makes its pictures first, then serves them.
import { createHash } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { startHost } from '../src/blobs/loopback-host.ts'
import { tidOf } from '../src/testing/relay-frames.ts'
import { blobCidOf } from '../src/domain/cid.ts'
import { helperInput, tellReady } from './helper-process.ts'
import { phonePicture, withComment } from './pictures.ts'

export type PipelineHostInput = {
  images: number
  pictures: number
  accounts: number
  pdsUrl: string
}
export type PipelineHostReady = {
  address: string
  blobs: { did: string; blobCid: string }[]
  jpegKbMean: number
}

const input = helperInput() as PipelineHostInput
const pictures = await Promise.all(
  Array.from({ length: input.pictures }, (_, seed) => phonePicture(seed)),
)
const numbers = new Map<string, number>()
const blobs = Array.from({ length: input.images }, (_, n) => {
  const blobCid = blobCidOf(createHash('sha256').update(bytesOf(n)).digest('hex'))
  numbers.set(blobCid, n)
  return { did: `did:plc:${tidOf(n % input.accounts).padStart(24, 'a')}`, blobCid }
})
const host = await startHost((request, response) => {
  const url = new URL(request.url ?? '/', 'http://host')
  const name = decodeURIComponent(url.pathname.slice(1))
  if (name.startsWith('did:plc:')) sendDocument(response, name)
  else sendBlob(response, url.searchParams.get('cid') ?? '')
  // startHost keeps every request, which a long bench cannot afford.
  host.requests.length = 0
})
const jpegBytes = pictures.reduce((total, picture) => total + picture.length, 0)
tellReady({
  address: host.origin,
  blobs,
  jpegKbMean: Math.round(jpegBytes / pictures.length / 1000),
} satisfies PipelineHostReady)

function bytesOf(n: number): Buffer {
  return withComment(pictures[n % pictures.length] as Buffer, `picture ${n}`)
}

function sendBlob(response: ServerResponse, cid: string): void {
  const n = numbers.get(cid)
  if (n === undefined) response.writeHead(404).end()
  else response.writeHead(200, { 'content-type': 'image/jpeg' }).end(bytesOf(n))
}

function sendDocument(response: ServerResponse, did: string): void {
  const service = {
    id: '#atproto_pds',
    type: 'AtprotoPersonalDataServer',
    serviceEndpoint: input.pdsUrl,
  }
  response.writeHead(200, { 'content-type': 'application/did+ld+json' })
  response.end(JSON.stringify({ id: did, service: [service] }))
}
