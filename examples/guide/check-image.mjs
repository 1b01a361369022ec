// The integration guide's "Example API Call" for those who have no Python: the same calls in the same order.
import { readFile } from 'node:fs/promises'
import { createClient } from './client.mjs'

const [, , file, contentId = 'content_123', actionId = '123'] = process.argv
const client = createClient({ url: process.env.BLOBWATCH_URL, key: process.env.BLOBWATCH_KEY })

const { hashes } = await client.hashImage(await readFile(file))
const { match_count, matches } = await client.matchHash(hashes[0].hash_value, hashes[0].algorithm, {
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
