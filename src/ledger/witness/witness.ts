// A C2SP tlog-witness: cosigns the checkpoints of the logs it was given, each only as a continuation of the last.
//
// Promises: for one log never two stories, never a smaller tree after a larger one, and each head on disk before its
// cosignature leaves (head-keeper.ts). Assumes nothing of who asks: what is signed by the log and proven is cosigned.
import { toHex, utf8 } from '../bytes.ts'
import { signedByLog } from '../note/checkpoint.ts'
import { formatNote, formatSignature, verifyNote } from '../note/note.ts'
import type { Note } from '../note/note.ts'
import type { VerifierKey } from '../note/key.ts'
import type { SignerKey } from '../note/signer-key.ts'
import { sha256 } from '../platform.ts'
import type { HeadKeeper } from '../signer/head-keeper.ts'
import { parseAddCheckpoint, sizeContentType } from './add-checkpoint.ts'

export type WitnessAnswer = { status: number; contentType: string; body: string }

export type Witness = {
  /** The answer to a POST of add-checkpoint. Throws what the keeper throws; then nothing was cosigned. */
  addCheckpoint(body: Uint8Array): Promise<WitnessAnswer>
  /** The newest checkpoint that was cosigned, with the log's signature and ours; by the SHA-256 of the origin in hex. */
  newest(originHash: string): Promise<string | undefined>
}

/** `key`: of type witness. `logs`: the keys of each log, named as its origin; several keys may share one. */
export function createWitness(options: {
  key: SignerKey
  logs: readonly VerifierKey[]
  keeper: HeadKeeper
  nowMs: () => number
}): Witness {
  const { key, keeper, nowMs } = options
  if (key.verifier.type !== 'witness') throw new TypeError('a witness has a key of type witness')

  return {
    async addCheckpoint(body) {
      const asked = parseAddCheckpoint(body)
      if (typeof asked === 'string') return sentence(400, asked)
      const { old, proof, note, checkpoint } = asked
      const { origin, size, root } = checkpoint
      const keys = options.logs.filter((log) => log.name === origin)
      if (keys.length === 0) return sentence(404, 'this log is not known here')
      const verdict = verifyNote(note, keys)
      if (!signedByLog({ checkpoint, note, verdict }))
        return sentence(403, 'the checkpoint is not signed by this log')
      if (old > size) return sentence(400, 'the old size is above the size')
      let line = ''
      const answer = await keeper.grow({
        ...{ origin, old, size, root, proof },
        sign: () => {
          const cosignature = key.sign(note.text, Math.floor(nowMs() / 1000))
          line = formatSignature(cosignature)
          const signatures = [...ofKeys(note, keys), cosignature]
          return formatNote({ text: note.text, signatures })
        },
      })
      if (answer.kind === 'kept') return { status: 200, contentType: plain, body: line }
      switch (answer.why) {
        case 'stale':
        case 'forked':
          return { status: 409, contentType: sizeContentType, body: `${answer.head?.size ?? 0}\n` }
        case 'unproven':
          return sentence(422, 'the proof does not lead from the old size to this checkpoint')
        default:
          throw new TypeError(`unknown refusal ${String(answer.why satisfies never)}`)
      }
    },
    async newest(originHash) {
      const log = options.logs.find(({ name }) => originHashOf(name) === originHash)
      return log && (await keeper.head(log.name))?.note
    },
  }
}

export function originHashOf(origin: string): string {
  return toHex(sha256(utf8(origin)))
}

const plain = 'text/plain; charset=utf-8'

function sentence(status: number, text: string): WitnessAnswer {
  return { status, contentType: plain, body: `${text}\n` }
}

/** What strangers signed is not kept: nobody checked it. */
function ofKeys(note: Note, keys: readonly VerifierKey[]): Note['signatures'] {
  return note.signatures.filter(({ name, keyId }) =>
    keys.some((key) => key.name === name && key.keyId === keyId),
  )
}
