// The files that somebody dropped or chose, as a bundle's: found by the bundle.json among them.
import { fileBytesMax } from '../bundle-files.ts'
import type { BundleFiles } from '../bundle-files.ts'

/** path -> file, as they lie in what was dropped or chosen. */
export type Chosen = Map<string, File>

const partBytes = 1_000_000

export function chosenList(list: FileList | null): Chosen {
  return new Map(Array.from(list ?? [], (file) => [file.webkitRelativePath || file.name, file]))
}

/** Whole folders, however deep. */
export async function droppedFiles(items: DataTransferItemList): Promise<Chosen> {
  const chosen: Chosen = new Map()
  // Asked at once: the list is empty after the first wait.
  const entries = Array.from(items, (item) => item.webkitGetAsEntry())
  for (const entry of entries) if (entry !== null) await gather(entry, chosen)
  return chosen
}

/** The bundle lies where bundle.json or checkpoint does, nearest to the top. */
export function bundleFilesOf(chosen: Chosen): BundleFiles {
  const roots = [...chosen.keys()].flatMap((path) => {
    const [, root] = /^(.*?)(?:bundle\.json|checkpoint)$/.exec(path) ?? []
    return root === undefined || (root !== '' && !root.endsWith('/')) ? [] : [root]
  })
  const root = roots.toSorted((a, b) => a.length - b.length)[0] ?? ''
  return {
    async read(path) {
      const file = chosen.get(root + path)
      if (file === undefined) return undefined
      return new Uint8Array(await file.slice(0, fileBytesMax + 1).arrayBuffer())
    },
    parts(path) {
      const file = chosen.get(root + path)
      return Promise.resolve(file && partsOf(file))
    },
  }
}

async function* partsOf(file: File): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < file.size; at += partBytes)
    yield new Uint8Array(await file.slice(at, at + partBytes).arrayBuffer())
}

async function gather(entry: FileSystemEntry, chosen: Chosen): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => {
      ;(entry as FileSystemFileEntry).file(resolve, reject)
    })
    chosen.set(entry.fullPath.replace(/^\//, ''), file)
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject)
    })
    if (some.length === 0) return
    for (const one of some) await gather(one, chosen)
  }
}
