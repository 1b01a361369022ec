import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import { crashPoint, crashPoints, isCrashPoint } from './crash-point.ts'

const module = new URL('./crash-point.ts', import.meta.url).href

test('every crash point is inert until one is armed', () => {
  for (const name of crashPoints) crashPoint(name)
  assert.equal(new Set(crashPoints).size, crashPoints.length)
  assert.equal(isCrashPoint('send:before'), true)
  assert.equal(isCrashPoint('toString'), false)
})

test('an armed crash point kills the process the nth time it is passed, without a last word', () => {
  const code = `
    import { armCrashPoint, crashPoint } from '${module}'
    process.on('exit', () => console.log('exit handler'))
    armCrashPoint('send:after', 2)
    crashPoint('send:before')
    crashPoint('send:after')
    console.log('once')
    crashPoint('send:after')
    console.log('twice')`
  const child = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', code], {
    encoding: 'utf8',
  })
  assert.equal(child.signal, 'SIGKILL')
  assert.equal(child.stdout, 'once\n')
})
