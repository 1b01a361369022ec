// A log that could not be continued goes on under a name that says so: NAME, NAME/recovered-2, NAME/recovered-3, …
const recovered = /^(.*)\/recovered-([2-9]|[1-9][0-9]{1,5})$/

/** The name that the signer's key carries. */
export function baseLogName(log: string): string {
  return recovered.exec(log)?.[1] ?? log
}

export function nextLogName(log: string): string {
  const [, base, number] = recovered.exec(log) ?? []
  return base === undefined ? `${log}/recovered-2` : `${base}/recovered-${Number(number) + 1}`
}
