// Reference hashes of real pictures. They are under somebody else's copyright: read where they lie, never part of this
// repository. A machine without them runs the tests on synthetic pictures and says so.
import { existsSync } from 'node:fs'
import { join } from 'node:path'

export const pictureVectorsFolder =
  process.env['BLOBWATCH_PDQ_IMAGES'] ?? join(import.meta.dirname, '../../../shared/data/pdq')

export const pictureVectorsFile = join(pictureVectorsFolder, 'image-vectors.json')

export const hasPictureVectors = existsSync(pictureVectorsFile)
