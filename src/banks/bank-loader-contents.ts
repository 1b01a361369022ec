// Which bank each content is in, for the first load: a number where a whole page of ids is in one bank, as after an import.
import type { Database } from '../db/client.ts'
import { idRanges, loaderLimits, read, readInOrder, toIds } from './bank-loader-packed.ts'
import type { IdRange } from './bank-loader-packed.ts'

/** Banks by id within a page. */
type Page = number | Uint32Array

/** A content stays in its bank. Of ids that are no content the answer means nothing. */
export async function readContentBanks(
  db: Database,
): Promise<(contentIds: Uint32Array) => Uint32Array> {
  const [row] = await read(
    'read the bounds of the bank contents',
    db<{ last: number | null }[]>`select max(id) as last from bank_content`,
  )
  const pages: Page[] = []
  let usual = 0
  const ranges = idRanges(0, row?.last ?? 0, loaderLimits.pageIds)
  for await (const page of readInOrder(ranges, (range) => readPage(db, range, usual))) {
    pages.push(page.banks)
    usual = page.usual
  }
  return (contentIds) => contentIds.map((id) => bankOf(pages, id))
}

function bankOf(pages: readonly Page[], contentId: number): number {
  const page = pages[Math.floor(contentId / loaderLimits.pageIds)]
  return typeof page === 'object' ? (page[contentId % loaderLimits.pageIds] ?? 0) : (page ?? 0)
}

/** Only what is in another bank than the one before comes over the wire. */
async function readPage(
  db: Database,
  { from, to }: IdRange,
  usual: number,
): Promise<{ banks: Page; usual: number }> {
  const [row] = await read(
    'read the banks of the contents',
    db<{ ids: Buffer | null; banks: Buffer | null }[]>`
      select string_agg(int4send(id), '') as ids, string_agg(int4send(bank), '') as banks
      from bank_content where id >= ${from}::integer and id < ${to}::bigint and bank <> ${usual}`,
  )
  if (row?.ids == null || row.banks === null) return { banks: usual, usual }
  const ids = toIds(row.ids)
  const others = toIds(row.banks)
  const banks = new Uint32Array(loaderLimits.pageIds).fill(usual)
  ids.forEach((id, i) => {
    banks[id - from] = others[i] as number
  })
  const first = others[0] as number
  const isOne = ids.length === loaderLimits.pageIds && others.every((bank) => bank === first)
  return { banks: isOne ? first : banks, usual: others.at(-1) ?? usual }
}
