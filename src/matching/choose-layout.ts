// Where the bank index should live on this machine: pure arithmetic on measured costs (docs/matching.md).

export type LayoutChoice = {
  layout: 'memory' | 'file'
  /** One sentence for the operator. */
  reason: string
  /** Of the process's memory, for the layout chosen, at its most. */
  bytesNeeded: number
  /** false: it may be killed for want of memory, or lookups will be slow; the reason says which. */
  suffices: boolean
}

/** A PDQ hash in tables, once serving and once more while they are rebuilt. */
const memoryBytesPerHash = 2 * 130
/** Beyond it the tables do not fit in the 4 GB that a kernel reaches, with room to rebuild them. */
const memoryHashesMax = 30_000_000
/** Buffers, waiting rows and what is under way while a file is written; a bit a signal and the digests' buckets. */
const fileBytesLeast = 48_000_000
const fileBytesPerHash = 0.5
/** Of a core, for one picture in its eight turns: 75 ms for 10 million hashes (bench/lookup-file.ts). */
const scanSecondsPerHash = 7.5e-9
const shareOfMemory = { usual: 0.5, pressed: 0.8 } as const
const shareOfCoreMax = 0.2

/**
 * `hashes`: PDQ hashes in the banks. `memoryBytes`: of the machine or its cgroup. `lookupsPerSecond`: pictures to be
 * compared, on average. `wanted`: what the operator set; above 30 million hashes it is a file whatever is wanted.
 */
export function chooseLayout(options: {
  hashes: number
  memoryBytes: number
  lookupsPerSecond: number
  wanted: 'auto' | 'memory' | 'file'
}): LayoutChoice {
  const { hashes, memoryBytes, lookupsPerSecond, wanted } = options
  const needed = hashes * memoryBytesPerHash
  const share = needed / memoryBytes
  const cores = lookupsPerSecond * hashes * scanSecondsPerHash
  const inMemory = (reason: string, suffices = true): LayoutChoice => ({
    layout: 'memory',
    reason,
    bytesNeeded: needed,
    suffices,
  })
  const inFile = (reason: string, suffices = true): LayoutChoice => ({
    layout: 'file',
    reason,
    bytesNeeded: fileBytesLeast + Math.ceil(hashes * fileBytesPerHash),
    suffices,
  })
  const sizes = `${hashes} hashes need ${gigabytes(needed)} in memory, with room to rebuild; there are ${gigabytes(memoryBytes)}`
  const load = `${lookupsPerSecond} lookups/s of the file take ${cores.toFixed(2)} of a core`

  if (wanted === 'file') return inFile('a file was asked for')
  if (hashes > memoryHashesMax) {
    return inFile(
      `${hashes} hashes are more than the ${memoryHashesMax} that an index in memory holds; ${load}`,
    )
  }
  if (wanted === 'memory') {
    const fits = share <= shareOfMemory.pressed
    return inMemory(
      fits
        ? 'memory was asked for'
        : `memory was asked for, but ${sizes}: it may be killed for want of memory`,
      fits,
    )
  }
  if (share <= shareOfMemory.usual) return inMemory(`${sizes}: it fits in half`)
  if (cores <= shareOfCoreMax) return inFile(`${sizes}: more than half; ${load}`)
  if (share <= shareOfMemory.pressed) {
    return inMemory(`${sizes}: more than half, taken because ${load}`)
  }
  return inFile(
    `neither suffices: ${sizes}, and ${load}; lookups will be slow: give it ${gigabytes(needed / shareOfMemory.usual)} of memory, or spread the lookups over more machines`,
    false,
  )
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`
}
