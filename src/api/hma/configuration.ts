// /c/signal_type and /c/content_type: what is compared, and how far the index is.
import { quoted, refuse } from './answers.ts'
import { author } from './banks.ts'
import type { CuratorGiven } from './banks.ts'
import { readModel } from './body.ts'
import { readFields } from './lax.ts'
import type { TypeSwitch } from './type-switch.ts'
import { indexBacklog } from './index-status.ts'
import type { HmaRoute } from './route.ts'
import { createTurns } from '../turns.ts'
import { contentTypes, hmaTypesWith, typeNamed } from './signal-names.ts'

export const indexBacklogWaitingMax = 8

export function configurationRoutes({
  parts,
  bodies,
  types,
}: CuratorGiven & { types: TypeSwitch }): HmaRoute[] {
  const known = hmaTypesWith(parts.others)
  // It counts every signal of every bank.
  const counting = createTurns({ slots: 1, waitingMax: indexBacklogWaitingMax })
  const reads = { method: 'GET', role: 'curator', needs: 'bank:read' } as const
  return [
    {
      ...reads,
      rule: '/c/signal_type',
      about: 'List the signal types',
      async answer(context) {
        const ratios = await types.ratios()
        return context.json(
          known
            .filter(({ standard }) => standard)
            .map(({ name }) => ({ name, enabled_ratio: ratios.get(name) ?? 1 })),
        )
      },
    },
    {
      method: 'PUT',
      rule: '/c/signal_type/<signal_type_name>',
      role: 'curator',
      needs: 'bank:write',
      about: 'Switch a signal type off (0) or on, for this interface',
      body: 'json',
      async answer(context) {
        const name = context.req.param('signal_type_name') ?? ''
        if (typeNamed(known, name) === undefined) refuse(404, `No such SignalType ${quoted(name)}`)
        const { enabled_ratio: ratio } = readFields(await readModel(context, bodies), {
          enabled_ratio: { kind: 'number', required: true },
        })
        if (!(ratio >= 0 && ratio <= 1)) refuse(400, 'enabled_ratio must be between 0 and 1')
        await types.set({ name, ratio, ...author(context, parts) })
        return context.body(null, 204)
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
