import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../config.ts'
import type { Exchange } from '../exchanges/exchange-store.ts'
import type { Manifest } from '../plugins/manifest.ts'
import { startScreen } from './start-screen.ts'

type Options = Parameters<typeof startScreen>[0]

function screen(exchanges: Partial<Exchange>[], manifests: Partial<Manifest>[]): string {
  const parts = {
    database: { place: 'somewhere', rolesApart: true },
    bankBook: { banks: () => new Map() },
    decoder: { sandbox: () => ({}) },
    identity: {},
    manifests,
  }
  return startScreen({
    config: parseConfig({}, () => ''),
    parts: parts as unknown as Options['parts'],
    urls: { publicUrl: 'http://a', privateUrl: 'http://b', hmaUrl: undefined },
    exchanges: exchanges.map(
      (one) => ({ enabled: true, runningSince: null, failures: 0, ...one }) as Exchange,
    ),
  })
}

test('the start says which exchanges are fetched, and names each that is not', () => {
  const plugins: Partial<Manifest>[] = [
    { name: 'listed', kind: 'exchange' },
    { name: 'hashed', version: '1.2', kind: 'signal-type' },
  ]
  const shown = screen(
    [
      { name: 'LIST', api: 'listed' },
      { name: 'NCMEC', api: 'ncmec' },
      { name: 'RESTS', api: 'tat', enabled: false },
    ],
    plugins,
  )
  assert.match(shown, /exchanges +LIST \(listed\); 15 minutes after each fetch again/)
  assert.match(shown, /- exchange NCMEC: not fetched, no plug-in is called ncmec/)
  assert.match(shown, /plug-ins +hashed 1\.2: what matches by them holds/)
  assert.doesNotMatch(shown, /RESTS|listed 1/)
  assert.match(screen([], plugins), /exchanges +none is fetched/)
})
