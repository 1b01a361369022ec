#!/usr/bin/env node
// The command of the package. It may be started by an older Node than the one that everything else needs, so it uses
// nothing that Node 20 lacks and imports nothing of ours before the right Node runs.
//
// The host's own Node runs it where it is of the pinned version (24); otherwise the Node that npm installed beside the
// package does, as a child that has our terminal, gets our signals, and whose end is ours. A kill -9 is a signal that cannot
// be handed on: the child sees the channel between us close, and ends as on SIGTERM.
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { findNode, pinnedMajor } from './packaging/find-node.ts'

const usageExitCode = 2
/** Tells the child apart from one whose channel belongs to somebody else, as a process manager's does. */
const startedByUs = 'blobwatch-bin'
const found = findNode({
  version: process.versions.node,
  platform: process.platform,
  arch: process.arch,
})

if (found.kind === 'this') {
  endWithParent()
  await import('./main.ts')
} else if (found.kind === 'installed') {
  runWith(found.path)
} else {
  console.error(
    `blobwatch: needs Node ${pinnedMajor}; this is ${process.version}, and the package ${found.package} that brings it is ` +
      `not installed (was it installed with --omit=optional?). Install it, or start with Node ${pinnedMajor}.`,
  )
  process.exitCode = usageExitCode
}

function runWith(path: string): void {
  // As it was called: a link in node_modules/.bin is followed by Node itself.
  const [script, ...words] = process.argv.slice(1)
  const child = spawn(path, [...process.execArgv, script!, ...words], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  // It may be over already.
  child.send(startedByUs, () => undefined)
  // Ctrl-C reaches the child by itself, which shares our terminal: there we only have to outlive it. A SIGTERM is for us
  // alone, and so is a SIGINT without a terminal.
  const pass = (signal: NodeJS.Signals) => {
    if (signal === 'SIGINT' && process.stdin.isTTY) return
    child.kill(signal)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, pass)
  child.once('error', (error) => {
    console.error(`blobwatch: ${path} cannot be started: ${error.message}`)
    process.exitCode = usageExitCode
  })
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (signal === null ? 0 : constants.signals[signal])
  })
}

function endWithParent(): void {
  process.once('message', (message) => {
    if (message === startedByUs)
      process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
    process.channel?.unref()
  })
  process.channel?.unref()
}
