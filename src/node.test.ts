import assert from 'node:assert/strict'
import { realpathSync } from 'node:fs'
import { test } from 'node:test'

test('runs on the Node that the project pins, whatever the host has', () => {
  assert.match(process.version, /^v24\./)
  assert.match(realpathSync(process.execPath), /node_modules\/node-linux-(x64|arm64)\//)
})
