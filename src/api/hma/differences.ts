// Where we answer otherwise than HMA 1.1.7, on purpose. Each of these is a test of that name (differences.test.ts), and
// docs/hma-differences.md is written from them. Pure.

type Difference = {
  /** A sentence about what we do. */
  ours: string
  /** What HMA does there. */
  hma: string
}

export const differences = {
  'bypass-on-get': {
    ours: '`bypass_coinflip` works on `GET /m/lookup` as on POST.',
    hma: 'declares it for GET and ignores it',
  },
  'low-quality-lookup': {
    ours: 'A lookup of a photo that shows too little finds nothing for its PDQ and keeps the results of the other types.',
    hma: 'answers 400 for the whole request',
  },
  'undecodable-photo': {
    ours: 'A file that cannot be decoded, or that has no byte, is a 400 that says why.',
    hma: 'answers 500, and hashes a video without a byte',
  },
  colours: {
    ours: 'A picture with a palette (GIF, many PNGs), in CMYK, of one bit a pixel or of 16-bit grey is hashed by what is to be seen.',
    hma: 'hashes the numbers of the palette or the inks, most of the 256 bits away from the picture, and finds bits and 16-bit grey too poor',
  },
  formats: {
    ours: 'JPEG, PNG, WebP, GIF and AVIF are decoded; any other picture is a 400.',
    hma: 'takes whatever Pillow reads: BMP and TIFF too',
  },
  'no-content-type': {
    ours: 'An address that serves no content type is the same 400 as an unknown one.',
    hma: 'answers 500',
  },
  'private-addresses': {
    ours: 'Private, local and link-local addresses are never fetched from, and neither is a redirect to one.',
    hma: 'fetches from every address unless hosts are listed, and follows redirects unchecked',
  },
  'upload-limit': {
    ours: 'Uploads are limited to the size of a blob (413); beyond a number of waiting requests the answer is 503 with Retry-After.',
    hma: 'takes uploads of any size into memory',
  },
  'exchange-put': {
    ours: '`PUT /c/exchange/<name>` answers with the configuration as JSON.',
    hma: 'answers with the keys run together, which is no JSON',
  },
  'enabled-false-on-create': {
    ours: '`enabled: false` on `POST /c/banks` makes a bank that is off.',
    hma: 'ignores it: the ratio is 1',
  },
  'exchange-name': {
    ours: 'An exchange with a used name is a 403, one whose name begins with a digit a 400.',
    hma: 'answers 500 to both',
  },
  'content-of-its-bank': {
    ours: 'A content is found, changed and removed only under the name of its own bank.',
    hma: 'looks at the number of the content alone',
  },
  'compare-digests': {
    ours: '`/m/compare` of digests answers `[true, {}]` or `[false, {}]`.',
    hma: 'fails to write the distance',
  },
  'ratio-range': {
    ours: '`enabled_ratio` outside 0 to 1 is a 400.',
    hma: 'keeps any number',
  },
  'signal-type-put': {
    ours: '`PUT /c/signal_type/<name>` switches a signal type off (0) or on (anything else) for this interface; scans follow the policies of the banks.',
    hma: 'answers 500, and cannot switch one off',
  },
  'validation-input': {
    ours: "Nothing that was sent comes back: the `input` of pydantic's errors is always null, their `ctx` is left out, and no sentence repeats a signal or an address.",
    hma: 'repeats what was sent',
  },
  'no-500': {
    ours: 'What HMA did not expect is a 400: a bank with a name of more than 255 characters, a body that is no object, a PDQ with a line break.',
    hma: 'answers 500',
  },
  'unknown-type-of-url': {
    ours: 'A lookup by `url` with an unknown `signal_type` is a 400.',
    hma: 'answers that nothing matched',
  },
  'metadata-with-signals': {
    ours: '`metadata` comes in with `/signal` as with `/content`.',
    hma: 'takes it for a signal type that it does not know',
  },
  'order-of-matches': {
    ours: '`/m/raw_lookup` lists by bank and by number.',
    hma: 'lists as its index has them',
  },
  'negative-banks': {
    ours: 'What a bank of harmless pictures matches too does not count in any lookup, and such a bank is never itself a match.',
    hma: 'has no such banks',
  },
  'disabled-in-raw': {
    ours: '`/m/raw_lookup` leaves out contents that are disabled or removed.',
    hma: 'lists them until the index is built anew',
  },
  'bank-distance': {
    ours: "A bank whose own PDQ distance is smaller than 31 matches within its own; none matches beyond HMA's 31.",
    hma: 'has one distance for all',
  },
  admission: {
    ours: 'A signal that says nothing about one picture is refused with 400; one that a harmless picture would match waits for a second person (403, with the command that approves it).',
    hma: 'takes every well-formed signal',
  },
  'new-banks-observe': {
    ours: 'A bank made here is of class `restricted` and in mode `observe`; what its matches may do is set with `blobwatch bank set`.',
    hma: 'has no modes: it never acts',
  },
  confidential: {
    ours: '`include_signals` is empty for a bank that an exchange fills: its signals never leave.',
    hma: 'shows them',
  },
  'collab-of-hashes': {
    ours: 'Where a content came from is in `metadata.collab`, unless the programme numbers its records by their hashes.',
    hma: 'shows those too',
  },
  'signals-are-exports': {
    ours: '`include_signals` of a restricted bank needs the scope `export` (without keys: BLOBWATCH_HMA_WRITE=on), and each is an entry of the ledger.',
    hma: 'shows them to everybody',
  },
  'fetched-by-plug-ins': {
    ours: 'Exchanges of a plug-in are fetched every 15 minutes (BLOBWATCH_EXCHANGE_MINUTES). Those of other kinds, NCMEC’s and the others of HMA, are kept and shown, and nothing is fetched from them: their status says so.',
    hma: 'fetches from all every minute',
  },
  'exchange-bank': {
    ours: 'Removing the bank of an exchange removes the exchange.',
    hma: 'leaves the exchange without a bank',
  },
  'doubled-slashes': {
    ours: 'A doubled slash in a path is one slash.',
    hma: 'answers 308 with the other path',
  },
  'more-types': {
    ours: 'The signal types `sha256`, `video_sha256`, `md5`, `sha1` and `clip` can be named wherever a type is, `clip` where the hash is given; lists and defaults show only those that HMA has, and those of configured plug-ins.',
    hma: 'has `pdq` and `video_md5` unless configured otherwise',
  },
  'keys-or-networks': {
    ours: 'Nobody is answered without a key (private listener) or from a network that is not named (listener without keys), through a proxy, or for a web page; changes need a scope, or BLOBWATCH_HMA_WRITE=on.',
    hma: 'has no authentication',
  },
} as const satisfies Record<string, Difference>

export type DifferenceId = keyof typeof differences

/** docs/hma-differences.md. */
export function renderDifferences(): string {
  const lines = Object.values(differences).map(({ ours, hma }) => `- ${ours} HMA ${hma}.`)
  return `# Differences from HMA

Blobwatch answers the clients of [Hasher-Matcher-Actioner](https://github.com/facebook/ThreatExchange) (HMA 1.1.7): the paths, parameters, answers, status codes and spellings are HMA's. What we answer otherwise on purpose is listed here, and nothing else: each line is a test in \`src/api/hma/differences.test.ts\`, and this page is written from them by \`node src/commands/write-docs.ts\`.

${lines.join('\n')}

JSON is equal by value: the order of keys, blanks and \`1.0\` for \`1\` are not.

Not there: HMA's pages under \`/ui\` and its development routes under \`/dev\`.
`
}
