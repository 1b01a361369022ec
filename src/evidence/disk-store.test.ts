import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { PermanentError, RetryableError } from '../domain/errors.ts'
import { createDiskStore } from './disk-store.ts'
import { contractBytesMax, evidenceStoreContract } from './evidence-store.contract.ts'
import { newObjectName } from './object-name.ts'

const dir = await mkdtemp(join(tmpdir(), 'blobwatch-evidence-'))
after(() => rm(dir, { recursive: true, force: true }))
const root = join(dir, 'made', 'by', 'it')
const open = () => createDiskStore({ dir: root, objectBytesMax: contractBytesMax })
const signal = new AbortController().signal
const pathOf = (name: string) => join(root, name.slice(0, 2), `${name}.age`)

evidenceStoreContract('a disk', open)

test('files and folders are for their user alone', async () => {
  const name = newObjectName()
  await open().put(name, Buffer.from('x'), signal)
  assert.equal((await stat(pathOf(name))).mode & 0o777, 0o600)
  assert.equal((await stat(dirname(pathOf(name)))).mode & 0o777, 0o700)
  assert.equal((await stat(root)).mode & 0o777, 0o700)
})

test('a link in the place of a file is not followed', async () => {
  const name = newObjectName()
  const elsewhere = join(dir, 'elsewhere')
  await writeFile(elsewhere, 'secret')
  await mkdir(dirname(pathOf(name)), { recursive: true })
  await symlink(elsewhere, pathOf(name))
  await assert.rejects(open().get(name, signal), PermanentError)
  await assert.rejects(open().has(name, signal), PermanentError)
  await symlink(elsewhere, `${pathOf(name)}.part`)
  await assert.rejects(open().put(name, Buffer.from('x'), signal), PermanentError)
  assert.equal(await readFile(elsewhere, 'utf8'), 'secret')
})

test('what a killed writer left beside a file is no object, and goes with it', async () => {
  const name = newObjectName()
  await mkdir(dirname(pathOf(name)), { recursive: true })
  await writeFile(`${pathOf(name)}.part`, 'half')
  assert.equal(await open().get(name, signal), undefined)
  await open().remove(name, signal)
  assert.ok(!(await readdir(dirname(pathOf(name)))).includes(`${name}.age.part`))
})

test('a full disk is asked again, and no part of a file stays', async (t) => {
  const name = newObjectName()
  await mkdir(dirname(pathOf(name)), { recursive: true })
  // A device that is always full, in the place of the file that is written first.
  const part = `${pathOf(name)}.part`
  const made = await promisify(execFile)('mknod', [part, 'c', '1', '7']).catch(() => undefined)
  if (made === undefined) {
    t.skip('this user may not make a device')
    return
  }
  await assert.rejects(open().put(name, Buffer.from('x'), signal), (error: Error) => {
    assert.ok(error instanceof RetryableError)
    assert.equal(error.message, 'could not write evidence on the disk (ENOSPC)')
    return true
  })
  // Another object may lie in the same folder.
  const left = await readdir(dirname(pathOf(name)))
  assert.deepEqual(
    left.filter((file) => file.startsWith(name)),
    [],
  )
  await open().put(name, Buffer.from('x'), signal)
  assert.equal(await open().has(name, signal), 1)
})

test('no error names a file or a folder', async () => {
  const file = join(dir, 'a-file')
  await writeFile(file, '')
  const store = createDiskStore({ dir: join(file, 'below') })
  await assert.rejects(store.put(newObjectName(), Buffer.from('x'), signal), (error: Error) => {
    assert.ok(error instanceof PermanentError)
    assert.equal(error.message, 'could not write evidence on the disk (ENOTDIR)')
    return true
  })
})
