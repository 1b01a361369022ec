// Where the reference's blur lands, worked out once per image side.
//
// The reference blurs luma twice with a box of ceil(side / 128) pixels along each axis and then picks 64 x 64 points.
// Both boxes are linear and the axes commute, so what one picked point sees along one axis is a fixed row of weights
// over a short run of pixels. Only those runs are computed; nothing is blurred that is not looked at.
// Source: ThreatExchange pdq/cpp/downscaling/downscaling.cpp (jaroszFilterFloat, decimateFloat).

export const gridSide = 64

/** For each of the 64 points: `counts[i]` weights from `offsets[i]` on, for the pixels from `starts[i]` on. */
export type Windows = {
  starts: Int32Array
  counts: Int32Array
  offsets: Int32Array
  weights: Float64Array
}

/** Pictures come in few sizes, and each is looked at in several ways. */
const known = new Map<number, Windows>()
const knownMax = 64

export function windows(side: number): Windows {
  const before = known.get(side)
  if (before !== undefined) return before
  const found = workOut(side)
  if (known.size === knownMax) known.clear()
  known.set(side, found)
  return found
}

function workOut(side: number): Windows {
  const starts = new Int32Array(gridSide)
  const counts = new Int32Array(gridSide)
  const offsets = new Int32Array(gridSide)
  const weights: number[] = []
  for (let i = 0; i < gridSide; i++) {
    const row = weightsAround(Math.floor(((i + 0.5) * side) / gridSide), side)
    starts[i] = row.start
    counts[i] = row.weights.length
    offsets[i] = weights.length
    weights.push(...row.weights)
  }
  return { starts, counts, offsets, weights: Float64Array.from(weights) }
}

/** What the point at `centre` sees of a row of `side` pixels after two box blurs: weights that add up to 1. */
function weightsAround(centre: number, side: number): { start: number; weights: number[] } {
  const outer = box(centre, side)
  const start = box(outer.first, side).first
  const weights = Array.from({ length: box(outer.last, side).last - start + 1 }, () => 0)
  for (let middle = outer.first; middle <= outer.last; middle++) {
    const inner = box(middle, side)
    const weight = 1 / (boxLength(outer) * boxLength(inner))
    for (let x = inner.first; x <= inner.last; x++) weights[x - start]! += weight
  }
  return { start, weights }
}

type Box = { first: number; last: number }

/** The pixels that one box blur averages into `centre`; cut off at the edges as the reference does it. */
function box(centre: number, side: number): Box {
  const width = Math.floor((side + 127) / 128)
  const half = Math.floor((width + 2) / 2)
  return { first: Math.max(0, centre + half - width), last: Math.min(side - 1, centre + half - 1) }
}

function boxLength(box: Box): number {
  return box.last - box.first + 1
}
