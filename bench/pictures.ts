// Pictures as phones send them: 1920 x 1080, JPEG, about 400 KB, and as many different ones as are wanted.
import sharp from 'sharp'
import { cleanPicture } from '../src/testing/canary.ts'

export const pictureSize = { width: 1920, height: 1080 } as const
/** Grain and quality together give about 400 KB. */
const grain = { mean: 128, sigma: 34 } as const
const quality = 80

/** Smooth shapes with a camera's grain over them. */
export async function phonePicture(seed: number): Promise<Buffer> {
  const small = await cleanPicture(seed, { width: 480, height: 270, format: 'png' })
  const noise = sharp({
    create: {
      ...pictureSize,
      channels: 3,
      background: 'grey',
      noise: { type: 'gaussian', ...grain },
    },
  })
  return await sharp(small)
    .resize({ ...pictureSize, kernel: 'cubic' })
    .composite([
      { input: await noise.png({ compressionLevel: 1 }).toBuffer(), blend: 'soft-light' },
    ])
    .jpeg({ quality })
    .toBuffer()
}

/** The same pixels in other bytes: a comment segment (T.81, B.2.4.5) after the first marker. */
export function withComment(jpeg: Buffer, text: string): Buffer {
  const comment = Buffer.from(text)
  const head = Buffer.from([0xff, 0xfe, 0, 0])
  head.writeUInt16BE(comment.length + 2, 2)
  return Buffer.concat([jpeg.subarray(0, 2), head, comment, jpeg.subarray(2)])
}
