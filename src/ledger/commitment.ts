// A salted commitment: what stands in an entry for a personal value. Runs anywhere.
import { join, utf8 } from './bytes.ts'
import { sha256 } from './platform.ts'

export const saltBytes = 32

/** SHA-256("modlog/commit/v1" 0x00 field 0x00 salt value); salt: 32 random bytes, fresh for each field of each entry. */
export function commitmentOf(input: {
  field: string
  salt: Uint8Array
  value: string
}): Uint8Array {
  if (input.salt.length !== saltBytes) throw new TypeError('a salt has 32 bytes')
  return sha256(join(utf8(`modlog/commit/v1\0${input.field}\0`), input.salt, utf8(input.value)))
}
