import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../config.ts'
import type { DoctorContext } from './check.ts'
import { hmaChecks } from './hma-checks.ts'

async function look(settings: Record<string, string>): Promise<string> {
  const config = parseConfig(settings, () => '')
  const found = await hmaChecks[0]?.run({ config } as DoctorContext)
  return `${found?.level}: ${found?.line}`
}

test('says who may ask without a key, and warns where that is nearly everybody', async () => {
  assert.match(await look({}), /^ok: .*need a key/)
  assert.match(await look({ BLOBWATCH_HMA_PORT: '5100' }), /^ok: .*127\.0\.0\.0\/8.* look up$/)
  assert.match(
    await look({ BLOBWATCH_HMA_PORT: '5100', BLOBWATCH_HMA_WRITE: 'on' }),
    /^note: .*change banks/,
  )
  const open = { BLOBWATCH_HMA_PORT: '5100', BLOBWATCH_HMA_HOST: '0.0.0.0' }
  assert.match(await look({ ...open, BLOBWATCH_HMA_NETWORKS: '10.0.0.0/8' }), /^ok/)
  assert.match(await look({ ...open, BLOBWATCH_HMA_NETWORKS: '10.0.0.0/8,0.0.0.0/0' }), /^warn/)
  assert.match(await look({ BLOBWATCH_HMA_SOCKET: '/run/x.sock' }), /^ok: .*socket/)
})
