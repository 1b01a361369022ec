// The eight forms of many packed PDQ hashes: what `turnsOfHash` says, without text. A turn moves and flips bits, so a
// hash's turn is the sum (xor) of what its bytes turn into: looked up, byte by byte.
import { turnsOfHash } from '../domain/pdq-turns.ts'
import { turns } from '../domain/variant.ts'

const hashBytes = 32
const words = hashBytes / 4

/** The eight forms of each of these hashes, side by side, in the order of `turns`. */
export function turnedForms(hashes: Uint8Array): Uint8Array {
  tables ??= turns.map((_, turn) => tableOf(turn))
  const forms = new Uint32Array((hashes.length / 4) * turns.length)
  let to = 0
  for (let at = 0; at < hashes.length; at += hashBytes) {
    for (const { zero, bytes } of tables) {
      for (let word = 0; word < words; word++) forms[to + word] = zero[word] as number
      for (let place = 0; place < hashBytes; place++) {
        const entry = (place * 256 + (hashes[at + place] as number)) * words
        for (let word = 0; word < words; word++)
          forms[to + word] = (forms[to + word] as number) ^ (bytes[entry + word] as number)
      }
      to += words
    }
  }
  return new Uint8Array(forms.buffer)
}

/** `zero`: the turn of the hash of no bits. `bytes`: by place and value of a byte, what it changes. */
type Table = { zero: Uint32Array; bytes: Uint32Array }

let tables: Table[] | undefined

function tableOf(turn: number): Table {
  const zero = wordsOf(formOf('00'.repeat(hashBytes), turn))
  const bytes = new Uint32Array(hashBytes * 256 * words)
  for (let place = 0; place < hashBytes; place++) {
    for (let bit = 1; bit < 256; bit *= 2) {
      const digits = bit.toString(16).padStart(2, '0')
      const hash = '00'.repeat(place) + digits + '00'.repeat(hashBytes - place - 1)
      const changed = wordsOf(formOf(hash, turn)).map((word, i) => word ^ (zero[i] as number))
      for (let value = bit; value < 256; value++) {
        if ((value & bit) === 0) continue
        const entry = (place * 256 + value) * words
        for (let i = 0; i < words; i++)
          bytes[entry + i] = (bytes[entry + i] as number) ^ (changed[i] as number)
      }
    }
  }
  return { zero, bytes }
}

function formOf(hash: string, turn: number): string {
  const name = turns[turn]
  return turnsOfHash(hash).find((form) => form.turn === name)?.hash ?? hash
}

function wordsOf(hash: string): Uint32Array {
  return new Uint32Array(Uint8Array.from(Buffer.from(hash, 'hex')).buffer)
}
