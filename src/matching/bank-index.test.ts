import { after, describe } from 'node:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createBankIndex } from './bank-index.ts'
import { bankIndexContract } from './bank-index.contract.ts'
import { createLinearMatcher } from './linear-matcher.ts'

const dir = await mkdtemp(join(tmpdir(), 'blobwatch-test-index-'))
after(() => rm(dir, { recursive: true, force: true }))
let indexes = 0

describe('the linear matcher', () => {
  bankIndexContract(async (clock) => createLinearMatcher({ clock }), { runs: 10 })
})

describe('the index in memory', () => {
  bankIndexContract(async (clock) => createBankIndex({ clock, layout: { kind: 'memory' } }), {
    runs: 100,
  })
})

describe('the index in files, written anew all the time', () => {
  bankIndexContract(
    async (clock) => {
      indexes += 1
      const layout = { kind: 'file' as const, dataDir: join(dir, `${indexes}`) }
      return createBankIndex({ clock, layout, pendingMax: 5 })
    },
    { runs: 40 },
  )
})
