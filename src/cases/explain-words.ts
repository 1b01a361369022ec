// What the short words of decisions and actions mean, in a sentence each. An unknown word is shown as it is.

const decisionReasons: Record<string, string> = {
  'mode-observe': 'the deployment only observes (BLOBWATCH_MODE)',
  'bank-observe': 'the bank only observes',
  'mode-hold': 'the deployment leaves everything to a person (BLOBWATCH_MODE)',
  'bank-hold': 'the bank leaves this to a person',
  retroactive: 'a bank change found it among what had been scanned before: a person decides',
  'no-vault': 'the bank asks for evidence first, and no vault is configured',
  perceptual: 'it looks alike, which by itself does not act in this bank',
  'nothing-permitted-here': 'the bank would act, but no action of it is permitted at this place',
  exact: 'a digest is equal, and the bank acts on that',
  'plug-in': 'a plug-in says so, and a person confirms that',
  'perceptual-allowed': 'it looks alike, and the bank acts on that',
  'another-bank': 'a bank matches that the person who decided the case had not seen: asked anew',
  'case-released': 'a person released the case',
  'case-confirmed': 'a person confirmed the case',
  'subject-released': 'a person released this record or this blob in this account',
  flood: 'the content matched far more than usual: a person decides',
  'no-live-cause': 'every content that caused it was removed or disabled since',
}

const waits: Record<string, string> = {
  paused: 'a person stopped actions like this: resume',
  'daily-cap': 'the limit of this day is reached; it leaves as the 24 hours pass',
  flood: 'the content caused more than it may: a person decides its case',
}

export function reasonInWords(reason: string): string {
  return decisionReasons[reason] ?? reason
}

/** Why an action is held or waits. */
export function waitInWords(waiting: string): string {
  return waits[waiting] ?? reasonInWords(waiting)
}

export function setAsideInWords(by: 'ratio' | 'negative', content: number | null): string {
  return by === 'ratio'
    ? 'set aside: the bank looks at a share of blobs only, and this is none of them'
    : `set aside: content ${content ?? '?'} of a bank of harmless pictures matches too`
}
