// What people do to a picture before they post it again. Each takes a JPEG and gives one.
import sharp from 'sharp'
import type { Sharp } from 'sharp'

type Change = (jpeg: Buffer) => Promise<Buffer>
type Colour = { r: number; g: number; b: number }

const white: Colour = { r: 255, g: 255, b: 255 }
const black: Colour = { r: 0, g: 0, b: 0 }
const quality = 85

const save = (image: Sharp, q = quality) => image.jpeg({ quality: q }).toBuffer()

async function sides(jpeg: Buffer): Promise<{ width: number; height: number }> {
  const { width, height } = await sharp(jpeg).metadata()
  return { width, height }
}

/** `left`, `right`, `top`, `bottom`: shares of the side that are cut off. */
function crop(share: { left: number; right: number; top: number; bottom: number }): Change {
  return async (jpeg) => {
    const { width, height } = await sides(jpeg)
    const left = Math.round(width * share.left)
    const top = Math.round(height * share.top)
    return await save(
      sharp(jpeg).extract({
        left,
        top,
        width: width - left - Math.round(width * share.right),
        height: height - top - Math.round(height * share.bottom),
      }),
    )
  }
}

const cropEach = (share: number) => crop({ left: share, right: share, top: share, bottom: share })

function border(share: { x: number; y: number }, background: Colour): Change {
  return async (jpeg) => {
    const { width, height } = await sides(jpeg)
    const [x, y] = [Math.round(width * share.x), Math.round(height * share.y)]
    return await save(sharp(jpeg).extend({ left: x, right: x, top: y, bottom: y, background }))
  }
}

/** A box of one colour laid over the picture; all numbers are shares of its sides. */
function overlay(
  box: { x: number; y: number; width: number; height: number },
  colour: Colour,
): Change {
  return async (jpeg) => {
    const { width, height } = await sides(jpeg)
    const create = {
      width: Math.round(width * box.width),
      height: Math.round(height * box.height),
      channels: 3 as const,
      background: colour,
    }
    const input = await sharp({ create }).png().toBuffer()
    return await save(
      sharp(jpeg).composite([
        { input, left: Math.round(width * box.x), top: Math.round(height * box.y) },
      ]),
    )
  }
}

/** A phone's screen with bars, an avatar and lines of text around the picture. */
const screenshot: Change = async (jpeg) => {
  const picture = await sharp(jpeg).resize({ width: 1080 }).toBuffer()
  const { height } = await sides(picture)
  const block = (width: number, tall: number, background: Colour) =>
    sharp({ create: { width, height: tall, channels: 3, background } })
      .png()
      .toBuffer()
  const grey: Colour = { r: 90, g: 96, b: 104 }
  const lines = await Promise.all(
    [880, 940, 520].map(async (width, i) => ({
      input: await block(width, 30, grey),
      left: 60,
      top: 330 + i * 52,
    })),
  )
  return await save(
    sharp({ create: { width: 1080, height: 2340, channels: 3, background: white } }).composite([
      { input: await block(1080, 90, { r: 24, g: 28, b: 36 }), left: 0, top: 0 },
      { input: await block(120, 120, { r: 40, g: 120, b: 220 }), left: 60, top: 160 },
      ...lines,
      { input: picture, left: 0, top: 520 },
      { input: await block(960, 26, grey), left: 60, top: Math.min(2200, 560 + height) },
      { input: await block(1080, 120, { r: 235, g: 238, b: 242 }), left: 0, top: 2220 },
    ]),
  )
}

const phonePad: Change = async (jpeg) =>
  save(sharp(jpeg).resize({ width: 1080, height: 1920, fit: 'contain', background: black }))

export const changes: Readonly<Record<string, Change>> = {
  'resize to half': async (jpeg) =>
    save(sharp(jpeg).resize({ width: Math.round((await sides(jpeg)).width / 2) })),
  'JPEG quality 30': (jpeg) => save(sharp(jpeg), 30),
  '320 pixels, quality 30': (jpeg) => save(sharp(jpeg).resize({ width: 320 }), 30),
  'WebP quality 40': async (jpeg) =>
    save(sharp(await sharp(jpeg).webp({ quality: 40 }).toBuffer()), 95),
  grey: (jpeg) => save(sharp(jpeg).greyscale()),
  'blur, sigma 3': (jpeg) => save(sharp(jpeg).blur(3)),
  'brighter by 30 %': (jpeg) => save(sharp(jpeg).modulate({ brightness: 1.3 })),
  mirror: (jpeg) => save(sharp(jpeg).flop()),
  'upside down': (jpeg) => save(sharp(jpeg).flip()),
  'rotate 90': (jpeg) => save(sharp(jpeg).rotate(90)),
  'rotate 180': (jpeg) => save(sharp(jpeg).rotate(180)),
  'rotate 90, mirror, quality 30': async (jpeg) =>
    save(sharp(await sharp(jpeg).rotate(90).toBuffer()).flop(), 30),
  'white border 5 %': border({ x: 0.05, y: 0.05 }, white),
  'black border 15 %': border({ x: 0.15, y: 0.15 }, black),
  'letterbox 25 %': border({ x: 0, y: 0.25 }, black),
  'phone 9:16 pad': phonePad,
  'border 10 % and mirror': async (jpeg) =>
    save(sharp(await border({ x: 0.1, y: 0.1 }, white)(jpeg)).flop()),
  'rotate 3 degrees': (jpeg) => save(sharp(jpeg).rotate(3, { background: black })),
  'crop 2 % each side': cropEach(0.02),
  'crop 5 % each side': cropEach(0.05),
  'crop 10 % one side': crop({ left: 0.1, right: 0, top: 0, bottom: 0 }),
  'crop 20 % each side': cropEach(0.2),
  'caption band': overlay({ x: 0, y: 0.8, width: 1, height: 0.12 }, black),
  'logo in a corner 12 %': overlay({ x: 0.85, y: 0.03, width: 0.12, height: 0.12 }, white),
  screenshot: screenshot,
}
