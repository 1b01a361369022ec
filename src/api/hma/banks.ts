// /c/banks and /c/bank/<name>: the banks. Made here, a bank is restricted and observes until a person says otherwise.
import { createBank } from '../../banks/bank-store.ts'
import { bankNameCharsMax, bankNamePattern, policyDefaults } from '../../domain/bank.ts'
import type { Parts } from '../../service.ts'
import { refuse } from './answers.ts'
import { allBanks, bankHere, editBank, removeBank, shown } from './bank-facts.ts'
import { readModel } from './body.ts'
import type { BodyReader } from './body.ts'
import { readFields } from './lax.ts'
import type { HmaContext, HmaRoute } from './route.ts'

export type CuratorGiven = { parts: Parts; bodies: BodyReader }

export function bankRoutes({ parts, bodies }: CuratorGiven): HmaRoute[] {
  const { db } = parts
  const reads = { method: 'GET', role: 'curator', needs: 'bank:read' } as const
  const writes = { role: 'curator', needs: 'bank:write' } as const
  const name = (context: HmaContext) => context.req.param('bank_name') ?? ''
  return [
    {
      ...reads,
      rule: '/c/banks',
      about: 'List the banks',
      answer: async (context) => context.json((await allBanks(db)).map(shown)),
    },
    {
      ...writes,
      method: 'POST',
      rule: '/c/banks',
      about: 'Create a bank',
      body: 'json',
      answer: (context) => makeBank(context, { parts, bodies }),
    },
    {
      ...reads,
      rule: '/c/bank/<bank_name>',
      about: 'Show a bank',
      answer: async (context) => context.json(shown(await bankHere(db, name(context)))),
    },
    {
      ...writes,
      method: 'PUT',
      rule: '/c/bank/<bank_name>',
      about: 'Rename a bank, or change the share of lookups that it matches',
      body: 'json',
      async answer(context) {
        const given = readFields(await readModel(context, bodies), {
          name: { kind: 'text' },
          enabled_ratio: { kind: 'number' },
          enabled: { kind: 'yes-no' },
        })
        const bank = await bankHere(db, name(context), 'Bank not found')
        if (given.name !== undefined) checkName(given.name)
        const ratio = ratioOf(given)
        await editBank(db, bank, {
          ...(given.name !== undefined && { name: given.name }),
          ...(ratio !== undefined && { ratio }),
          ...author(context, parts),
        })
        return context.json(shown(await bankHere(db, given.name ?? bank.name)))
      },
    },
    {
      ...writes,
      method: 'DELETE',
      rule: '/c/bank/<bank_name>',
      about: 'Remove a bank with its contents',
      async answer(context) {
        await removeBank(db, name(context), author(context, parts))
        return context.json({ message: 'Done' })
      },
    },
  ]
}

async function makeBank(context: HmaContext, { parts, bodies }: CuratorGiven): Promise<Response> {
  const given = readFields(await readModel(context, bodies), {
    name: { kind: 'text', required: true },
    enabled_ratio: { kind: 'number' },
    enabled: { kind: 'yes-no' },
  })
  checkName(given.name)
  const ratio = ratioOf(given) ?? policyDefaults.ratio
  await createBank(parts.db, {
    ...{ name: given.name, mode: 'observe', class: 'restricted', policy: { ratio } },
    ...author(context, parts),
  })
  return context.json({ matching_enabled_ratio: ratio, name: given.name }, 201)
}

/** Whose name is on what follows. */
export function author(context: HmaContext, { clock }: Pick<Parts, 'clock'>) {
  return { principal: context.get('access').principal, nowMs: clock() }
}

export function checkName(name: string): void {
  if (!bankNamePattern.test(name) || name.length > bankNameCharsMax)
    refuse(400, 'Bank names must be UPPER_WITH_UNDERSCORE')
}

/** The number wins over yes/no. */
function ratioOf(given: { enabled: boolean | undefined; enabled_ratio: number | undefined }) {
  const { enabled, enabled_ratio: ratio } = given
  if (ratio === undefined) return enabled === undefined ? undefined : Number(enabled)
  return ratio >= 0 && ratio <= 1 ? ratio : refuse(400, 'enabled_ratio must be between 0 and 1')
}
