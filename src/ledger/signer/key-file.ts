// A private key in a file of its own: made once, closed to others, never shown in an error.
import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { UsageError } from '../../domain/errors.ts'
import { isKeyName } from '../note/key.ts'
import type { KeyType } from '../note/key.ts'
import { makeSignerKey, parseSignerKey } from '../note/signer-key.ts'
import type { SignerKey } from '../note/signer-key.ts'
import { createDurably, isCode } from './durable-file.ts'

const othersMask = 0o077

/** undefined: there is no such file. Throws UsageError for a file that others can read or that holds no key of this type. */
export async function readKeyFile(file: string, type: KeyType): Promise<SignerKey | undefined> {
  let text: string
  try {
    const { mode } = await stat(file)
    if ((mode & othersMask) !== 0)
      throw new UsageError(`${file} can be read by others: chmod 600 ${file}`)
    text = await readFile(file, 'utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    if (error instanceof UsageError) throw error
    throw new UsageError(`${file} cannot be read`, { cause: error })
  }
  return parseKey(text, type, file)
}

/** `where`: how the error names the text. Throws UsageError. */
export function parseKey(text: string, type: KeyType, where: string): SignerKey {
  const key = parseSignerKey(text)
  if (typeof key === 'string') throw new UsageError(`${where}: ${key}`)
  if (key.verifier.type !== type)
    throw new UsageError(`${where} holds the key of a ${key.verifier.type}, not of a ${type}`)
  return key
}

/** The new key, or undefined when there is a file already, which stays. Throws UsageError when none can be made. */
export async function makeKeyFile(
  file: string,
  name: string,
  type: KeyType,
): Promise<SignerKey | undefined> {
  if (!isKeyName(name)) throw new UsageError("a key's name has no spaces and no plus")
  const key = makeSignerKey(name, type)
  try {
    await mkdir(dirname(file), { recursive: true })
    return (await createDurably(file, `${key.secret}\n`)) ? key : undefined
  } catch (error) {
    throw new UsageError(`${file} cannot be written`, { cause: error })
  }
}
