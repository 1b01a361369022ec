// The ways in which one picture is looked at before it is compared: turned, mirrored, without its border, on white.

/** Names of the eight symmetries of a square, what was done to the uploaded picture. `transpose` is over the main diagonal. */
export const turns = [
  'original',
  'mirror',
  'flip',
  'rot180',
  'rot90',
  'rot270',
  'transpose',
  'transverse',
] as const
export type Turn = (typeof turns)[number]

/** `flat`: transparent parts laid on white instead of shown bare. `trim`: a border of one colour cut off. */
export const views = ['plain', 'flat', 'trim', 'flat+trim'] as const
export type View = (typeof views)[number]

/** `original`, `mirror`, `trim`, `trim+mirror`, `flat+trim+rot90`, … */
export type Variant = Turn | Exclude<View, 'plain'> | `${Exclude<View, 'plain'>}+${Turn}`

export function variantOf(view: View, turn: Turn): Variant {
  if (view === 'plain') return turn
  return turn === 'original' ? view : `${view}+${turn}`
}

/** Every variant, plainest first: the order in which equal distances are settled. */
export const variants: readonly Variant[] = views.flatMap((view) =>
  turns.map((turn) => variantOf(view, turn)),
)
