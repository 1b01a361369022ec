// What every client of an exchange has to do, whatever its programme: domain/ports.ts, `ExchangeClient`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ExchangeClient, ExchangeFetch } from '../domain/ports.ts'

/** Of pages in a test. */
const pagesMax = 100

type Page = Extract<ExchangeFetch, { kind: 'updates' }>

/** `open`: a client of a programme that tells several pages, and does not change meanwhile. */
export function exchangeClientContract(name: string, open: () => Promise<ExchangeClient>): void {
  const going = new AbortController().signal
  const ask = async (client: ExchangeClient, checkpoint: unknown): Promise<Page> => {
    const fetched = await client.fetch(checkpoint, going)
    assert.ok(fetched.kind === 'updates', JSON.stringify(fetched))
    return fetched
  }
  const follow = async (client: ExchangeClient, from: unknown): Promise<Page[]> => {
    const pages: Page[] = []
    for (let checkpoint = from; ;) {
      const page = await ask(client, checkpoint)
      pages.push(page)
      if (!page.more) return pages
      assert.notDeepEqual(page.checkpoint, checkpoint, 'it would be asked the same for ever')
      assert.ok(pages.length < pagesMax)
      checkpoint = page.checkpoint
    }
  }

  test(`${name}: tells all from the beginning, page by page, and then nothing new`, async () => {
    await using client = await open()
    const pages = await follow(client, undefined)
    assert.ok(pages.length > 1 && pages.flatMap(({ updates }) => updates).length > 0)
    const after = await follow(client, pages.at(-1)?.checkpoint)
    assert.deepEqual(
      after.flatMap(({ updates }) => updates),
      [],
    )
  })

  test(`${name}: tells the same again for the same checkpoint, in another client too`, async () => {
    await using client = await open()
    const pages = await follow(client, undefined)
    await using other = await open()
    for (let at = 0; at < pages.length; at += 1) {
      // As it comes back from the database.
      const text = JSON.stringify(pages[at - 1]?.checkpoint ?? null)
      const checkpoint = (JSON.parse(text) as unknown) ?? undefined
      assert.deepEqual(await ask(client, checkpoint), pages[at])
      assert.deepEqual(await ask(other, checkpoint), pages[at])
    }
  })

  test(`${name}: fails when it is told to stop, and stays stopped`, async () => {
    await using client = await open()
    const stopping = new AbortController()
    const asked = client.fetch(undefined, stopping.signal)
    stopping.abort()
    assert.equal((await asked).kind, 'failed')
    assert.equal((await client.fetch(undefined, stopping.signal)).kind, 'failed')
  })
}
