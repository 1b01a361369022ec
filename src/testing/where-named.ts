// Finds a text in a whole database: every column of every table, also where it is spelled in hex or base64.
import type { Database } from '../db/client.ts'

/** `table.column` of each place. Fails when it finds too few columns to have searched the schema. */
export async function whereNamed(owner: Database, text: string): Promise<string[]> {
  const columns = await owner<{ table: string; column: string }[]>`
    select c.table_name as table, c.column_name as column
    from information_schema.columns c join information_schema.tables t using (table_schema, table_name)
    where c.table_schema = 'blobwatch' and t.table_type = 'BASE TABLE' order by 1, 2`
  if (columns.length < 200) throw new Error('the schema was not searched')
  const found: string[] = []
  for (const { table, column } of columns) {
    for (const spelling of spellings(text)) {
      const [row] = await owner`
        select from ${owner(table)} where strpos(lower(${owner(column)}::text), ${spelling.toLowerCase()}) > 0 limit 1`
      if (row !== undefined) {
        found.push(`${table}.${column}`)
        break
      }
    }
  }
  return found
}

/** As text, in hex (as bytea prints it), and in base64 at each of the three places where it may begin. */
function spellings(text: string): string[] {
  const bytes = Buffer.from(text)
  const base64 = [0, 1, 2].map((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), bytes])
    // Without the characters that bytes before and after it take part in.
    return shifted
      .toString('base64')
      .slice(shift === 0 ? 0 : shift + 1)
      .replace(/.?.?=*$/, '')
      .slice(0, -1)
  })
  return [text, bytes.toString('hex'), ...base64]
}
