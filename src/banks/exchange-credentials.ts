// What the credentials of an exchange are sealed for, whoever brings them: HMA's interface, or an import.

/** The context of the data key: what was sealed for one exchange opens for no other. */
export function credentialContext(api: string): string {
  return `exchange-credentials/${api}`
}
