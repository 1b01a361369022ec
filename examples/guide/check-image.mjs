// The integration guide's "Example API Call" for those who have no Python: the same calls in the same order.
//
//   BLOBWATCH_URL=http://127.0.0.1:2596 BLOBWATCH_KEY=mk_... node check-image.mjs image.jpg [content_id] [action_id]
import { readFile } from 'node:fs/promises'
import { createClient } from './client.mjs'

const [, , file, contentId = 'content_123', actionId = '123'] = process.argv
const { BLOBWATCH_URL: url, BLOBWATCH_KEY: key } = process.env
if (file === undefined || url === undefined || key === undefined) {
  console.error(
    'BLOBWATCH_URL=... BLOBWATCH_KEY=... node check-image.mjs image.jpg [content_id] [action_id]',
  )
  process.exit(2)
}
const client = createClient({ url, key })

try {
  const { hashes } = await client.hashImage(await readFile(file))
  const [first] = hashes
  const { match_count, matches } = await client.matchHash(first.hash_value, first.algorithm, {
    threshold: 0.9,
  })
  console.log(`matches: ${match_count}`)
  if (match_count > 0) {
    const action = await client.takeAction({
      action_id: actionId,
      action_type: 'takedown',
      content_id: contentId,
      match_info: matches[0],
    })
    console.log(`action: ${action.status}`)
  }
} catch (error) {
  // What the service refuses says in `detail` what to do.
  console.error(error.message)
  process.exit(1)
}
