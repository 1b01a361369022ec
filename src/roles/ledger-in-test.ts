// For tests: a ledger with its signer, and the ways a database goes back in time.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from '../db/client.ts'
import { toHex } from '../ledger/bytes.ts'
import { openSigner } from '../ledger/signer/open-signer.ts'
import type { LedgerSigner } from '../ledger/signer/signer.ts'
import { createDataKey } from '../ledger/seal.ts'
import { createSequencer } from '../ledger/sequencer.ts'
import { createTileReader } from '../ledger/tile-store.ts'
import { createProver } from '../ledger/tree/prove.ts'
import { leadLedger } from '../steps/append.ts'
import type { LedgerHead } from '../steps/append.ts'
import { noteFacts } from '../steps/note-facts.ts'
import { silentLog, testDatabase } from '../testing/database.ts'
import type { TestDatabase } from '../testing/database.ts'

export const logInTest = 'ledger.example/test'

export type LedgerInTest = {
  database: TestDatabase
  signer: LedgerSigner
  dataDir: string
  lead(): Promise<LedgerHead>
  /** So many facts become entries, as a leader with this head would append them; the head after it. */
  grow(count: number): Promise<LedgerHead>
  /** The database as it was at this size, as a backup of then would hold it. */
  setBack(size: number): Promise<void>
  superuser(statement: string): Promise<void>
}

export async function ledgerInTest(context: {
  after(clean: () => Promise<void>): void
}): Promise<LedgerInTest> {
  const database = await testDatabase(context)
  const dataDir = await mkdtemp(join(tmpdir(), 'blobwatch-ledger-'))
  context.after(() => rm(dataDir, { recursive: true, force: true }))
  const settings = { dataDir, signerSocket: undefined, signerKey: undefined }
  const signer = await openSigner(settings, logInTest)
  const { app: db } = database
  const lead = () => leadLedger(db, logInTest)
  const superuser = async (statement: string) => {
    const root = connect(database.superuserAddress, {
      max: 1,
      applicationName: 'test',
      log: silentLog,
    })
    await root.unsafe(`set session_replication_role = replica; ${statement}`).simple()
    await root.end({ timeout: 1 })
  }
  let noted = 0
  return {
    database,
    signer,
    dataDir,
    lead,
    superuser,
    async grow(count) {
      await noteFacts(
        db,
        Array.from({ length: count }, () => ({
          type: 'test',
          pub: { n: (noted += 1) },
          idem: `fact ${noted}`,
          atMs: Date.now(),
        })),
      )
      const stop = new AbortController()
      const sequencer = createSequencer({
        db,
        clock: Date.now,
        dataKey: createDataKey('11'.repeat(32)),
        limits: {
          takedownsPerDay: 100,
          labelsPerDay: 100,
          actionsPerContent: 100,
          floodBlobs: 1_000_000,
          floodAccounts: 1_000_000,
          floodFactor: 5,
        },
        wait: async () => stop.abort(),
      })
      await sequencer.run(await lead(), stop.signal)
      return await lead()
    },
    async setBack(size) {
      const { size: now } = await lead()
      const frontier = toHex(await createProver(createTileReader(db), now).frontierAt(size))
      await superuser(`
        delete from ledger_entry where seq >= ${size};
        delete from ledger_node where (index + 1) * 256 ^ (level + 1) > ${size};
        delete from ledger_checkpoint where size > ${size};
        update ledger_head set size = ${size}, frontier = decode('${frontier}', 'hex'),
          hash = coalesce((select hash from ledger_entry where seq = ${size} - 1), decode(repeat('00', 32), 'hex'));`)
    },
  }
}
