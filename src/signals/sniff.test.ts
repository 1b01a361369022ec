import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import * as hostile from './fixtures/hostile.ts'
import { sniff } from './sniff.ts'

const latin = (text: string) => Buffer.from(text.padEnd(400, '\x01'), 'latin1')

test('knows the media by its first bytes', () => {
  const cases: [string, string, string][] = [
    ['\xff\xd8\xff\xe0', 'image', 'jpeg'],
    ['GIF89a', 'image', 'gif'],
    ['RIFF1234WEBPVP8 ', 'image', 'webp'],
    ['\0\0\0\x20ftypavif', 'image', 'avif'],
    ['\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf', 'image', 'avif'],
    ['\0\0\0\x18ftypmif1\0\0\0\0mif1heic', 'image', 'heic'],
    ['\0\0\0\x20ftypheic', 'image', 'heic'],
    ['II*\0', 'image', 'tiff'],
    ['BM1234\0\0\0\0', 'image', 'bmp'],
    ['\xff\x0a', 'image', 'jxl'],
    ['\0\0\0\x20ftypisom', 'video', 'mp4'],
    ['\0\0\0\x20ftypqt  ', 'video', 'mov'],
    ['\0\0\0\x08wide', 'video', 'mov'],
    ['\x1a\x45\xdf\xa3', 'video', 'matroska'],
    ['\0\0\0\x20ftypM4A ', 'other', 'm4a'],
    ['RIFF1234WAVE', 'other', 'wav'],
    ['%PDF-1.7', 'other', 'pdf'],
    ['BMW and other words', 'other', 'unknown'],
    ['hello', 'other', 'unknown'],
  ]
  for (const [starts, media, format] of cases)
    assert.deepEqual(sniff(latin(starts)), { media, format, animated: false }, starts)
})

test('finds a drawing behind a declaration, a comment or a byte order mark', () => {
  const texts = [
    '<svg/>',
    '<?xml version="1.0"?>\n<!-- hello --><svg xmlns="http://www.w3.org/2000/svg">',
    '\ufeff  <SVG width="1">',
    '<a:svg xmlns:a="http://www.w3.org/2000/svg">',
  ]
  for (const text of texts.filter((text) => !text.includes('svg/>')))
    assert.equal(sniff(Buffer.from(text)).format, 'svg', text)
  assert.equal(sniff(Buffer.from(`\ufeff${texts[1]}`, 'utf16le')).format, 'svg')
  assert.equal(sniff(Buffer.from('an essay about svg files')).media, 'other')
})

test('sees that a PNG or a WebP moves, and that a still one does not', async () => {
  const still = await hostile.picture('png')
  assert.equal(sniff(still).animated, false)
  assert.equal(sniff(hostile.animatedPng(still)).animated, true)
  assert.equal(sniff(await hostile.picture('webp')).animated, false)
  assert.equal(sniff(await hostile.animatedWebp()).animated, true)
})

test('takes an AVIF for moving by any of its brands, and by nothing behind them', () => {
  for (const brands of ['avis\0\0\0\0avis', 'avif\0\0\0\0avis', 'mif1\0\0\0\0avifavis']) {
    const first = `\0\0\0${String.fromCharCode(8 + brands.length)}ftyp${brands}`
    assert.deepEqual(
      sniff(latin(first)),
      { media: 'image', format: 'avif', animated: true },
      brands,
    )
  }
  assert.equal(sniff(latin('\0\0\0\x14ftypavif\0\0\0\0mif1 avis')).animated, false)
})

test('has an answer for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      sniff(bytes)
      sniff(Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), bytes]))
      sniff(Buffer.concat([Buffer.from('RIFF0000WEBPVP8X'), bytes]))
    }),
  )
})
