// What a page of HMA's contents changes here: added, changed, gone, the same. Compared with what is here, not yet done.
import type { Database } from '../db/client.ts'
import { takeRow } from './hma-content.ts'
import type { HmaContent } from './hma-content.ts'
import { hmaRowLimits } from './hma-rows.ts'
import type { HmaRow } from './hma-rows.ts'
import { contentIdMax, readOurs } from './hma-steps.ts'
import type { HmaPage, OurContent } from './hma-steps.ts'

/** Of one statement. */
const pageCharsMax = 4_000_000
/** Of a content beside its words. */
const contentChars = 300
/** Of ours that are looked at together: of an HMA that was emptied all are gone at once. */
const oursMax = 20_000

export type BankTotal = {
  bank: number
  added: number
  changed: number
  removed: number
  unchanged: number
}

export type PageMaker = {
  /** `rows`: all of HMA's after `after` up to the last of them; fewer than a page: there are no more. */
  pages(rows: HmaRow[], after: number): AsyncGenerator<HmaPage>
  totals(): { banks: BankTotal[]; left: { reason: string; count: number }[] }
  removedHere(): number
}

export function createPageMaker(options: {
  db: Database
  bankOf: (hmaId: number) => number | undefined
  exchangeOf: (hmaId: number) => string | undefined
}): PageMaker {
  const banks = new Map<number, BankTotal>()
  const left = new Map<string, number>()
  let removedHere = 0
  const totalOf = (bank: number): BankTotal => {
    const total = banks.get(bank) ?? { bank, added: 0, changed: 0, removed: 0, unchanged: 0 }
    banks.set(bank, total)
    return total
  }

  function toPage(rows: HmaRow[], ours: OurContent[], { from, to }: { from: number; to: number }) {
    const page = emptyPage(from, to)
    const oursById = new Map(ours.map((one) => [one.id, one]))
    const kept = new Set<number>()
    const same = new Map<number, number>()
    const leftHere = new Map<string, number>()
    const touched = new Set<number>()
    for (const row of rows) {
      const taken = takeRow(row, options)
      for (const reason of taken.left) {
        add(left, reason)
        add(leftHere, reason)
      }
      const { content } = taken
      if (content === undefined) continue
      kept.add(content.id)
      const change = compare(content, oursById.get(content.id))
      if (change === 'removed here') removedHere += 1
      else if (change === 'in another bank') {
        add(left, 'content that is in another bank here')
        add(leftHere, 'content that is in another bank here')
      } else {
        totalOf(content.bank)[change] += 1
        if (change === 'unchanged') add(same, content.bank)
        else {
          touched.add(content.bank)
          page.changes ||= change === 'changed'
          page.rows.push(content.json(change === 'changed'))
        }
      }
    }
    for (const { id, bank, isRemoved } of ours) {
      if (isRemoved || kept.has(id)) continue
      totalOf(bank).removed += 1
      touched.add(bank)
      page.gone.push(id)
    }
    page.banks = [...touched].toSorted((a, b) => a - b)
    page.same = [...same].map(([bank, count]) => ({ bank, count }))
    page.left = [...leftHere].map(([reason, count]) => ({ reason, count }))
    return page
  }

  async function* pages(rows: HmaRow[], after: number): AsyncGenerator<HmaPage> {
    const isEnd = rows.length < hmaRowLimits.pageContents
    const lastRow = rows.at(-1)?.id ?? after
    let from = after
    for (let rest = rows; ;) {
      // Behind the last content of HMA may be some that it had the last time.
      const to = isEnd ? contentIdMax : lastRow
      const ours = await readOurs(options.db, { from, to, limit: oursMax })
      const isAll = ours.length < oursMax
      const reach = isAll
        ? Math.max(from, lastRow, ours.at(-1)?.id ?? 0)
        : (ours.at(-1)?.id ?? from)
      const within = rest.filter(({ id }) => id <= reach)
      const part = firstPart(within)
      const through = part.length < within.length ? (part.at(-1)?.id ?? reach) : reach
      const mine = ours.filter(({ id }) => id <= through)
      yield toPage(part, mine, { from, to: through })
      rest = rest.slice(part.length)
      from = through
      if (isAll && part.length === within.length) return
    }
  }

  return {
    pages,
    totals: () => ({
      banks: [...banks.values()].toSorted((a, b) => a.bank - b.bank),
      left: [...left]
        .map(([reason, count]) => ({ reason, count }))
        .toSorted((a, b) => b.count - a.count),
    }),
    removedHere: () => removedHere,
  }
}

function emptyPage(from: number, to: number): HmaPage {
  return { from, to, banks: [], gone: [], changes: false, same: [], left: [], rows: [] }
}

function add<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function compare(
  content: HmaContent,
  ours: OurContent | undefined,
): 'added' | 'changed' | 'unchanged' | 'removed here' | 'in another bank' {
  if (ours === undefined) return 'added'
  if (ours.bank !== content.bank) return 'in another bank'
  if (ours.isRemoved) return ours.state === null ? 'changed' : 'removed here'
  return ours.state === content.state ? 'unchanged' : 'changed'
}

/** As many as one statement takes. */
function firstPart(rows: HmaRow[]): HmaRow[] {
  let chars = 0
  const end = rows.findIndex((row) => {
    chars += row.metadata?.length ?? 0
    chars += (row.summary?.length ?? 0) + (row.note?.length ?? 0) + contentChars
    return chars > pageCharsMax
  })
  return end < 1 ? rows.slice(0, end === 0 ? 1 : rows.length) : rows.slice(0, end)
}
