/** Text from outside for logs and columns: cut, and without the characters that Postgres refuses or a terminal obeys. */
export function plainText(text: string, charsMax: number): string {
  return text.slice(0, charsMax).replaceAll(/[\p{Cc}\p{Cs}]/gu, '?')
}
