// The demo from start to end: make the small world, tell the story, print the table, take everything down.
//
// Promises: exit code 0 only when every step held; every wait has a limit; nothing stays behind, after ctrl-C neither.
// Nothing leaves this machine. A kill -9 of the demo leaves its folder and, until it notices, Blobwatch.
import type { DemoOptions } from '../demo.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Io } from '../io.ts'
import { keepOpen } from './keep.ts'
import { createScreen } from './screen.ts'
import type { Screen } from './screen.ts'
import { firstSteps } from './steps-first.ts'
import { restSteps } from './steps-rest.ts'
import { runSteps } from './steps.ts'
import type { StepResult } from './steps.ts'
import { printResults } from './table.ts'
import { makeWorld } from './world.ts'
import type { World } from './world.ts'

export async function runDemo(io: Io, options: DemoOptions): Promise<void> {
  const screen = createScreen(io, options)
  const startMs = performance.now()
  screen.say(opening)
  try {
    await using world = await makeWorld({
      environment: io.env,
      live: (doing) => screen.live(`starting: ${doing}`),
      signal: io.stop,
    })
    screen.quiet()
    const results = await tell(world, screen)
    printResults(io, options, results, (performance.now() - startMs) / 1000)
    if (results.some(({ held }) => !held)) io.setExitCode(exitCodes.notOk)
    if (options.keep === true) await keepOpen(io, world)
    screen.live('stopping everything')
  } catch (error) {
    screen.quiet()
    if (!io.stop.aborted) throw error
    io.err('Stopped. Everything that was started has been ended.')
    io.setExitCode(exitCodes.interrupted)
  } finally {
    screen.quiet()
  }
}

const opening = [
  'Blobwatch demo. On this machine only: a real PDS and a PLC directory, Blobwatch',
  'beside them, and a harmless generated picture that plays the part of a known',
  'harmful one. Nothing is sent anywhere else. It takes about half a minute.',
  '',
].join('\n')

async function tell(world: World, screen: Screen): Promise<StepResult[]> {
  const story = {}
  const steps = [...firstSteps(world, story), ...restSteps(world)]
  const results = await runSteps(steps, { screen, signal: world.signal })
  if (results.every(({ held }) => held)) return results
  screen.say(`\nThe last lines of Blobwatch:\n${await world.service.lastLines()}`)
  return results
}
