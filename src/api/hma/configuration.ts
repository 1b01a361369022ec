// /c/signal_type and /c/content_type: what is compared, and how far the index is.
import type { Parts } from '../../service.ts'
import { quoted, refuse } from './answers.ts'
import { indexBacklog } from './index-status.ts'
import type { HmaRoute } from './route.ts'
import { createTurns } from './media.ts'
import { contentTypes, standardTypes, typeNamed } from './signal-names.ts'

export const indexBacklogWaitingMax = 8

export function configurationRoutes({ parts }: { parts: Parts }): HmaRoute[] {
  // It counts every signal of every bank.
  const counting = createTurns(1, indexBacklogWaitingMax)
  const reads = { method: 'GET', role: 'curator', needs: 'bank:read' } as const
  return [
    {
      ...reads,
      rule: '/c/signal_type',
      about: 'List the signal types',
      answer: (context) =>
        context.json(standardTypes.map(({ name }) => ({ name, enabled_ratio: 1 }))),
    },
    {
      method: 'PUT',
      rule: '/c/signal_type/<signal_type_name>',
      role: 'curator',
      needs: 'bank:write',
      about: 'Not implemented: signal types are always on',
      body: 'json',
      answer(context) {
        const name = context.req.param('signal_type_name') ?? ''
        if (typeNamed(name) === undefined) refuse(404, `No such SignalType ${quoted(name)}`)
        return refuse(501, 'unimplemented: signal types are always on')
      },
    },
    {
      ...reads,
      rule: '/c/signal_type/index',
      about: 'Compare the index with the database',
      query: ['signal_type'],
      answer: async (context) =>
        context.json(await counting(() => indexBacklog(parts, context.req.query('signal_type')))),
    },
    {
      ...reads,
      rule: '/c/content_type',
      about: 'List the content types',
      answer: (context) => context.json(contentTypes.map((name) => ({ name, enabled: true }))),
    },
  ]
}
