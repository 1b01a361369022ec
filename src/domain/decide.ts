// What the policy makes of a match at one place. Pure: the same input gives the same decision, whoever asks.
import { lowerMode } from './bank.ts'
import type { ActionKind, Bank, Match, Mode } from './bank.ts'
import { signalDigits } from './blob.ts'
import { isNegative } from './gate.ts'
import { isOfOther } from './other-type.ts'
import { isExact, isPerceptual } from './signal-kind.ts'

export type DecideInput = {
  deploymentMode: Mode
  /** A bank change found this blob among earlier ones: a person decides, whatever the policy says. */
  retroactive: boolean
  /** What counts of them (gate.ts): at least one that is not of a negative bank; every bank that they name is in `banks`. */
  matches: readonly Match[]
  banks: ReadonlyMap<number, Bank>
  place: {
    collection?: string
    rkey?: string
    /** The account lives on the host whose admin interface we hold. Anywhere else no takedown is sent. */
    administered: boolean
  }
  /** A label key is configured. */
  canLabel: boolean
  /** A vault is configured: evidence is kept before what is decided here is written down. */
  canPreserve: boolean
}

export type DecisionReason =
  | 'mode-observe'
  | 'bank-observe'
  | 'mode-hold'
  | 'bank-hold'
  | 'retroactive'
  | 'no-vault'
  | 'perceptual'
  | 'plug-in'
  | 'nothing-permitted-here'
  | 'exact'
  | 'perceptual-allowed'

export type Decision = {
  outcome: 'observed' | 'held' | 'acted'
  reason: DecisionReason
  /** The lower of the deployment's and the bank's. */
  mode: Mode
  /** The match that weighs most, for people and for the record. */
  lead: Match
  policyVersion: number
  /** Contents whose own bank wants no less than this outcome: each is a cause of what is done. */
  contents: number[]
  /** What would be done (observed), waits (held) or is done (acted). */
  wants: ActionKind[]
  label?: string
  /** A bank behind it asks for evidence, and something is held or acted: the bytes are kept first (promise 6). */
  preserve: boolean
}

type Opinion = Pick<Decision, 'outcome' | 'reason' | 'mode'> & {
  match: Match
  bank: Bank
  /** What the outcome would be if nothing were in mode `observe`. */
  would: Decision['outcome']
}

const weights = { observed: 0, held: 1, acted: 2 } as const

/** Throws TypeError when there is no match or a match names a bank that is not given: the caller's mistake. */
export function decide(input: DecideInput): Decision {
  const opinions = input.matches
    .map((match) => opinionOf(match, input))
    .filter(({ bank }) => !isNegative(bank))
    .sort(byWeight)
  const [lead] = opinions
  if (lead === undefined) throw new TypeError('decide() needs a match')
  const agreeing = opinions.filter(
    (opinion) => opinion.outcome === lead.outcome && opinion.would === lead.would,
  )
  const restricted = opinions.some((opinion) => opinion.bank.class === 'restricted')
  const wants = wantedActions(agreeing, restricted, input)
  const label = agreeing.map(labelOf).find((val) => val !== undefined)
  const acts = lead.outcome === 'acted' && wants.length === 0
  return {
    outcome: acts ? 'held' : lead.outcome,
    reason: acts ? 'nothing-permitted-here' : lead.reason,
    mode: lead.mode,
    lead: lead.match,
    policyVersion: lead.bank.policy.version,
    contents: [...new Set(agreeing.map((opinion) => opinion.match.contentId))],
    wants,
    preserve: input.canPreserve && opinions.some(asksForEvidence),
    ...(wants.includes('label') && label !== undefined && { label }),
  }
}

function opinionOf(match: Match, input: DecideInput): Opinion {
  const bank = input.banks.get(match.bankId)
  if (bank === undefined) throw new TypeError(`decide() was not given bank ${match.bankId}`)
  const mode = lowerMode(input.deploymentMode, bank.mode)
  const awake = lowerMode(awakened(input.deploymentMode), awakened(bank.mode))
  const would = outcomeOf(match, bank, awake, input).outcome
  return { match, bank, mode, would, ...outcomeOf(match, bank, mode, input) }
}

/** Any bank that is not only looking, also one that does not lead: what another bank takes down is gone for it too. */
function asksForEvidence({ bank, outcome }: Opinion): boolean {
  return bank.policy.preserve && outcome !== 'observed'
}

function awakened(mode: Mode): Mode {
  return mode === 'observe' ? 'act' : mode
}

function labelOf({ bank }: Opinion): string | undefined {
  return bank.policy.actions.includes('label') ? bank.policy.label : undefined
}

function outcomeOf(
  match: Match,
  bank: Bank,
  mode: Mode,
  input: DecideInput,
): Pick<Decision, 'outcome' | 'reason'> {
  if (mode === 'observe') {
    return {
      outcome: 'observed',
      reason: input.deploymentMode === 'observe' ? 'mode-observe' : 'bank-observe',
    }
  }
  if (mode === 'hold') {
    return { outcome: 'held', reason: input.deploymentMode === 'hold' ? 'mode-hold' : 'bank-hold' }
  }
  if (input.retroactive) return { outcome: 'held', reason: 'retroactive' }
  // Evidence comes before a takedown; without a vault there is nowhere to keep it (promise 6).
  if (bank.policy.preserve && !input.canPreserve) return { outcome: 'held', reason: 'no-vault' }
  // What a value of a plug-in stands for is its program's word: no policy lets it act.
  if (isOfOther(match.type)) return { outcome: 'held', reason: 'plug-in' }
  if (isPerceptual(match.type)) {
    return bank.policy.perceptual === 'act'
      ? { outcome: 'acted', reason: 'perceptual-allowed' }
      : { outcome: 'held', reason: 'perceptual' }
  }
  return bank.policy.exact === 'act'
    ? { outcome: 'acted', reason: 'exact' }
    : { outcome: 'held', reason: 'bank-hold' }
}

/** Strongest first: by outcome (under `observe` by what it would be), restricted before open, exact before perceptual, nearer before farther. */
function byWeight(a: Opinion, b: Opinion): number {
  return (
    weights[b.outcome] - weights[a.outcome] ||
    weights[b.would] - weights[a.would] ||
    Number(b.bank.class === 'restricted') - Number(a.bank.class === 'restricted') ||
    Number(isExact(b.match.type)) - Number(isExact(a.match.type)) ||
    shareOfBits(a.match) - shareOfBits(b.match) ||
    a.match.signalId - b.match.signalId
  )
}

/** Distances of signals of different lengths, side by side; those of plug-ins behind ours. */
function shareOfBits({ distance, type }: Match): number {
  if (isOfOther(type)) return 1 + distance
  return distance / (signalDigits[type] * 4)
}

function wantedActions(opinions: Opinion[], restricted: boolean, input: DecideInput): ActionKind[] {
  const { place } = input
  const isRecord = place.collection !== undefined
  const permitted: Record<ActionKind, boolean> = {
    'takedown-blob': place.administered,
    // `self` records (a profile) stand for the account: the picture goes, the record stays.
    'takedown-record': place.administered && isRecord && place.rkey !== 'self',
    // A label says to everybody where the thing is: never for a restricted bank (promise 9).
    label: isRecord && input.canLabel && !restricted,
  }
  const asked = new Set(opinions.flatMap((opinion) => opinion.bank.policy.actions))
  const labelled = opinions.some((opinion) => labelOf(opinion) !== undefined)
  return (['takedown-blob', 'takedown-record', 'label'] as const).filter(
    (kind) => asked.has(kind) && permitted[kind] && (kind !== 'label' || labelled),
  )
}
