import { describe } from 'node:test'
import { labelStoreContract } from './label-store.contract.ts'
import { createMemoryLabelStore } from './memory-label-store.ts'

describe('the label stream in memory', () => {
  labelStoreContract(() => {
    const store = createMemoryLabelStore()
    return { store, put: (label) => store.put(label) }
  })
})
