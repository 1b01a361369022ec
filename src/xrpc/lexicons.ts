// The lexicon documents this server speaks, as the protocol publishes them (lexicons/). Given to xrpc-server as
// documents, not as schemas built by @atproto/lex: no generated code to keep, and requests and answers are
// validated all the same. What a subscription sends is not validated by that path (xrpc-server addSubscription);
// label-endpoints.ts has one place that builds a message and its test checks it against the document.
import type { createServer } from '@atproto/xrpc-server'
import labelDefs from '../../lexicons/com/atproto/label/defs.json' with { type: 'json' }
import queryLabels from '../../lexicons/com/atproto/label/queryLabels.json' with { type: 'json' }
import subscribeLabels from '../../lexicons/com/atproto/label/subscribeLabels.json' with { type: 'json' }

type LexiconDocs = NonNullable<Parameters<typeof createServer>[0]>

export const lexiconDocs = [labelDefs, queryLabels, subscribeLabels] as unknown as LexiconDocs
