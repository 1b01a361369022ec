// Random bytes for salts and nonces: the system's, asked for in larger pieces. Each byte is given out once.
import { randomFillSync } from 'node:crypto'

const poolBytes = 16_384
const pool = Buffer.alloc(poolBytes)
let used: number = poolBytes

/** A copy of its own. At most a pool's size. */
export function freshRandom(bytes: number): Uint8Array {
  if (bytes > poolBytes) throw new TypeError(`${bytes} bytes are more than one piece`)
  if (used + bytes > poolBytes) {
    randomFillSync(pool)
    used = 0
  }
  const fresh = Uint8Array.from(pool.subarray(used, used + bytes))
  pool.fill(0, used, used + bytes)
  used += bytes
  return fresh
}
