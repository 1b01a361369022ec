// Lives through the history of file-cases.ts in a folder until it is killed. Tells its parent each generation before it
// begins.
import { setTimeout as sleep } from 'node:timers/promises'
import { createStoryPart, firstRows, stepOf, storyTypes } from './file-cases.ts'

const [folder = '', pauseMs = '1'] = process.argv.slice(2)
let generation = 1
const parts = storyTypes.map((type) => ({
  type,
  part: createStoryPart(folder, type, { generation: () => generation, pendingMax: 200 }),
}))
process.once('disconnect', () => process.exit(0))
process.send?.(generation)
await Promise.all(parts.map(({ type, part }) => part.load(firstRows(type))))
for (;;) {
  process.send?.(generation + 1)
  for (const { type, part } of parts) {
    const { added, removed } = stepOf(type, generation + 1)
    part.add(added)
    part.remove(removed)
  }
  generation += 1
  await sleep(Number(pauseMs))
}
