/**
 * Text of others may hold what a terminal obeys: a title, a colour, a cursor that goes back over what was said, letters that
 * run the other way. Ours has lines and tabs.
 */
export function forTerminal(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]|[\u202a-\u202e\u2066-\u2069]/gu, '\ufffd')
}
