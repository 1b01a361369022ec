// Runs the steps one after the other. A step that does not hold stops no other; ctrl-C stops all.
import { errorMessage } from '../../domain/errors.ts'
import { wrap } from './screen.ts'
import type { Screen } from './screen.ts'

export type Step = {
  name: string
  expected: string
  /** `see` notes a fact, `live` what is being waited for. Throws when something is not as expected. */
  run: (tell: { see: (fact: string) => void; live: (doing: string) => void }) => Promise<void>
}

export type StepResult = {
  step: number
  name: string
  expected: string
  seen: string[]
  held: boolean
  seconds: number
}

export async function runSteps(
  steps: readonly Step[],
  options: { screen: Screen; signal: AbortSignal },
): Promise<StepResult[]> {
  const results: StepResult[] = []
  for (const step of steps) {
    options.signal.throwIfAborted()
    const result = await runStep(step, results.length + 1, steps.length, options.screen)
    options.signal.throwIfAborted()
    results.push(result)
    options.screen.quiet()
    options.screen.say(describe(result, steps.length))
  }
  return results
}

async function runStep(
  step: Step,
  number: number,
  count: number,
  screen: Screen,
): Promise<StepResult> {
  const { name, expected } = step
  const seen: string[] = []
  const live = (doing: string) => screen.live(`[${number}/${count}] ${name}: ${doing}`)
  const startMs = performance.now()
  let held = true
  live('starting')
  try {
    await step.run({ see: (fact) => seen.push(fact), live })
  } catch (error) {
    held = false
    seen.push(errorMessage(error))
  }
  const seconds = Math.round((performance.now() - startMs) / 100) / 10
  return { step: number, name, expected, seen, held, seconds }
}

const FACT_INDENT = 15
const NAME_COLUMNS = 54

function describe(result: StepResult, count: number): string {
  const number = `[${String(result.step).padStart(2)}/${count}]`
  const seconds = `${result.seconds.toFixed(1)} s`.padStart(6)
  const facts = result.seen.map((fact) => wrap(fact, FACT_INDENT))
  return [
    `${number} ${result.name.padEnd(NAME_COLUMNS)} ${result.held ? 'ok' : 'NOT OK'} ${seconds}`,
    `     expected: ${wrap(result.expected, FACT_INDENT)}`,
    `         seen: ${facts.join(`\n${' '.repeat(FACT_INDENT)}`)}`,
  ].join('\n')
}
