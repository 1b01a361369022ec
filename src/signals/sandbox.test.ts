import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryableError } from '../domain/errors.ts'
import { checkSandbox } from './sandbox-check.ts'
import { openSandbox } from './sandbox.ts'
import { wallCommand } from './walls.ts'

const limits = { memoryBytes: 1024 * 1024 * 1024, processorSeconds: 20 }

test('a child reaches no network, no file, no environment and starts no process', async (t) => {
  process.env['BLOBWATCH_TEST_SECRET'] = 'a child must not see this'
  const warnings: string[] = []
  const nodePath = process.execPath
  const warn = (message: string) => void warnings.push(message)
  const sandbox = await openSandbox({ ...limits, nodePath, warn })
  const findings = await checkSandbox(sandbox, nodePath)
  const { network, limits: limited, user } = sandbox.walls
  t.diagnostic(JSON.stringify({ walls: sandbox.walls, findings, warnings }))
  const open = findings.filter(({ stoppedBy }) => stoppedBy === 'nothing')
  // The one thing Node 24 has no wall of its own against is the network.
  assert.deepEqual(
    open.map(({ attempt }) => attempt),
    network === 'open' ? ['connect'] : [],
  )
  const absent = [limited === 'missing', network === 'open', user === 'same']
  assert.equal(warnings.length, absent.filter(Boolean).length)
})

test('says that it cannot start when there is no Node at the given place', async () => {
  const opened = openSandbox({ ...limits, nodePath: '/nonexistent/node', warn: () => {} })
  await assert.rejects(opened, RetryableError)
})

test('counts threads only where the user or its namespace belongs to the child alone', () => {
  const counts = (walls: Parameters<typeof wallCommand>[0]) =>
    wallCommand(walls, limits, 1).some((word) => word.startsWith('--nproc='))
  assert.ok(counts({ limits: 'set', network: 'cut', user: 'own' }))
  assert.ok(counts({ limits: 'set', network: 'cut-by-user-namespace', user: 'dropped' }))
  assert.ok(!counts({ limits: 'set', network: 'open', user: 'dropped' }))
})

test('gives neighbouring children different users', () => {
  const walls = { limits: 'missing', network: 'open', user: 'own' } as const
  assert.notDeepEqual(wallCommand(walls, limits, 1), wallCommand(walls, limits, 2))
})
