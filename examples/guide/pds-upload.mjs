// The integration guide's "Example PDS Integration", completed: an upload handler that asks before it says yes.
//
// `bank_name` of a restricted bank is told to keys with the scope bank:read only. `report_ncmec` opens a case for a person;
// nothing is filed by itself. The takedown is asked for under this service's name and passes modes, caps and holds.
import { randomUUID } from 'node:crypto'

/**
 * `client`: of client.mjs. `saveImage(bytes, userId)` stores the picture and gives what Blobwatch may call it: `did/cid`,
 * the at:// address of a record, or the content_id of a webhook. `logModerationAction(entry)` is yours.
 */
export function createUploadHandler({ client, saveImage, logModerationAction }) {
  const takeAction = async (actionType, contentId, matchInfo) => {
    const action_id = randomUUID()
    await client.takeAction({
      action_id,
      action_type: actionType,
      content_id: contentId,
      match_info: matchInfo,
    })
    return action_id
  }

  // In your image upload handler
  return async function handleImageUpload(imageData, userId) {
    // Save the image to your storage
    const imagePath = await saveImage(imageData, userId)

    // Hash and match the image: the look, then the very bytes.
    const { hashes } = await client.hashImage(imageData)
    for (const { hash_value, algorithm, quality } of hashes) {
      const found = await client.matchHash(
        hash_value,
        algorithm,
        quality === undefined ? {} : { quality },
      )
      if (found.match_count === 0) continue

      // If there are matches, take appropriate action
      const [match] = found.matches
      if (match.bank_name === 'NCMEC') {
        // A draft for the person who reports to NCMEC
        const reportId = await takeAction('report_ncmec', imagePath, match)
        // Take down the content
        const takedownId = await takeAction('takedown', imagePath, match)
        // Log the action
        await logModerationAction({
          userId,
          contentId: imagePath,
          action: 'takedown',
          reason: 'Matched NCMEC database',
          reportId,
          takedownId,
        })
        return { error: 'Content policy violation' }
      }
    }

    // If no matches or no action taken, return success
    return { success: true, imagePath }
  }
}
