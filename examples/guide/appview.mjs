// The integration guide's "Example AppView Integration", completed: what is shown, and what users report.
//
// The key stays on your server: what the guide calls /api/hma/report is your own route, which calls `report` here.

/** `client`: of client.mjs. `getImageUrl(contentId)` is yours, and so is what is rendered. */
export function createAppView({
  client,
  getImageUrl,
  renderImage,
  renderPlaceholder,
  showNotification,
}) {
  async function checkMatchStatus(contentId) {
    const { hashes } = await client.hashUrl(await getImageUrl(contentId))
    for (const { hash_value, algorithm, quality } of hashes) {
      const { match_count } = await client.matchHash(
        hash_value,
        algorithm,
        quality === undefined ? {} : { quality },
      )
      if (match_count > 0) return { isMatched: true }
    }
    return { isMatched: false }
  }

  return {
    // In your image display component
    async displayImage(imageUrl, contentId) {
      try {
        // Check if the image has been previously matched
        const matchStatus = await checkMatchStatus(contentId)
        if (matchStatus.isMatched) {
          // If the image has been matched, don't display it
          return renderPlaceholder('This image has been removed for policy violations')
        }
        // If the image hasn't been matched, display it
        return renderImage(imageUrl)
      } catch (error) {
        console.error('Error checking match status:', error.message)
        // The guide shows the picture when the check failed. Decide for yourself: this fails open.
        return renderImage(imageUrl)
      }
    },

    // In your user reporting handler
    async handleUserReport(contentId, reportReason) {
      try {
        // Get the image URL from the content ID
        const imageUrl = await getImageUrl(contentId)
        const result = await client.report({ contentId, imageUrl, reportReason })
        // Always `received`: a reporter cannot find out by it what is known.
        if (result.action === 'takedown') return showNotification('Content has been removed')
        if (result.action === 'review')
          return showNotification('Content has been queued for review')
        return showNotification('Thank you for your report')
      } catch (error) {
        console.error('Error reporting content:', error.message)
        return showNotification('Error reporting content')
      }
    },
  }
}
