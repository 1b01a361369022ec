// How fast an HMA comes in: a database with HMA's tables beside ours on one Postgres, read and written by one process, as
// `import hma` does it. And how fast the second import finds that nothing changed.
import { connect } from '../src/db/client.ts'
import type { Database } from '../src/db/client.ts'
import { openHma } from '../src/banks/hma-database.ts'
import { planHmaImport, runHmaImport } from '../src/roles/import-hma.ts'
import type { HmaImportOptions } from '../src/roles/import-hma.ts'
import { principalId } from '../src/steps/withdraw.ts'
import { silentLog } from '../src/testing/database.ts'
import { hmaSchema } from '../src/testing/hma-database.ts'
import type { Bench, BenchOptions, BenchResult } from './bench.ts'
import { treeCpuSeconds } from './cpu.ts'
import { round } from './machine.ts'
import { postmasterPid, scratchDatabase } from './scratch.ts'

const goal = { contentsPerSecond: 11_000 } as const
const contents = { full: 10_000_000, quick: 100_000 } as const
const madeAtOnce = 100_000
const banks = 4

export const bench: Bench = {
  about: 'contents a second that come in from an HMA, and that are found unchanged',
  run: importHma,
}

async function importHma({ quick, signal, tell }: BenchOptions): Promise<BenchResult> {
  const count = quick ? contents.quick : contents.full
  await using scratch = await scratchDatabase({ waitsForDisk: false })
  const address = scratch.database.ownerAddress
  if ('url' in address) throw new TypeError('the scratch database is embedded')
  // A schema of its own stands for a database of its own: the scratch's owner may not make one.
  const maker = connect(address, {
    max: 1,
    applicationName: 'bench',
    log: silentLog,
    statementTimeoutMs: 600_000,
  })
  await maker.unsafe('create schema hma').simple()
  await maker.unsafe(`set search_path = hma; ${hmaSchema}`).simple()
  await fill(maker, { count, signal, tell })
  await maker.unsafe('alter role blobwatch_owner set search_path = hma').simple()
  await maker.end({ timeout: 2 })
  const hma = openHma(address, { log: silentLog, readOnly: true })
  const principal = await principalId(scratch.app, {
    kind: 'person',
    name: 'bench',
    nowMs: Date.now(),
  })
  const options: HmaImportOptions = {
    db: scratch.app,
    hma,
    mode: 'observe',
    class: 'restricted',
    exchangesOn: false,
    lookBack: false,
    moved: false,
    removals: false,
    deletesPercent: 5,
    credentials: undefined,
    principal,
    clock: Date.now,
    onProgress: (done, of) => {
      if (done % (count / 10) < 10_000) tell(`${done} of ${of} contents`)
    },
    signal,
  }
  try {
    const postgres = await postmasterPid(scratch.dataDir)
    const before = cpuOf(postgres)
    const first = await timed(options)
    const after = cpuOf(postgres)
    const cpu = { ours: after.ours - before.ours, postgres: after.postgres - before.postgres }
    const second = await timed(options)
    return report(count, { ...first, cpu }, second)
  } finally {
    await hma.end({ timeout: 2 })
  }
}

async function fill(
  hma: Database,
  { count, signal, tell }: { count: number; signal: AbortSignal; tell: (text: string) => void },
): Promise<void> {
  await hma`insert into bank select n, 'BANK_' || n, 1, null from generate_series(1, ${banks}::integer) n`
  for (let from = 1; from <= count; from += madeAtOnce) {
    signal.throwIfAborted()
    const to = Math.min(count, from + madeAtOnce - 1)
    await hma`
      insert into bank_content (id, bank_id, disable_until_ts, note, bank_content_metadata)
      select n, 1 + n % ${banks}::integer, 1, case when n % 10 = 0 then 'note of ' || n end,
        case when n % 5 = 0 then json_build_object('content_id', n::text) end
      from generate_series(${from}::integer, ${to}::integer) n`
    // Nine in ten are pictures; a tenth has a digest beside or instead.
    await hma`
      insert into content_signal (content_id, signal_type, signal_val)
      select n, 'pdq', encode(sha256(convert_to('pdq' || n, 'UTF8')), 'hex')
      from generate_series(${from}::integer, ${to}::integer) n where n % 10 > 0
      union all
      select n, 'video_md5', md5('v' || n) from generate_series(${from}::integer, ${to}::integer) n where n % 10 < 2`
  }
  await hma`analyze`
  tell(`an HMA of ${count} contents is made`)
}

async function timed(
  options: HmaImportOptions,
): Promise<{ seconds: number; added: number; unchanged: number }> {
  const startMs = performance.now()
  const plan = await planHmaImport(options)
  const { banks } = await runHmaImport(options, plan)
  const sum = (pick: (one: (typeof banks)[number]) => number) =>
    banks.reduce((all, one) => all + pick(one), 0)
  return {
    seconds: (performance.now() - startMs) / 1000,
    added: sum((one) => one.added),
    unchanged: sum((one) => one.unchanged),
  }
}

type Cpu = { ours: number; postgres: number }

/** Seconds of a core: this process, and both databases, which are one server here. */
function cpuOf(postgres: number): Cpu {
  const { user, system } = process.cpuUsage()
  return { ours: (user + system) / 1e6, postgres: treeCpuSeconds(postgres) }
}

function report(
  count: number,
  first: { seconds: number; added: number; cpu: Cpu },
  second: { seconds: number; unchanged: number },
): BenchResult {
  // Among millions of hashes made at random a few are such as no picture has, and are refused.
  const isWhole = count - first.added <= count / 100_000
  if (!isWhole || second.unchanged !== first.added)
    throw new Error(`${first.added} came in and ${second.unchanged} were unchanged, of ${count}`)
  const contentsPerSecond = Math.round(count / first.seconds)
  // What a machine that does other things as well says nothing about.
  const contentsPerCpuSecond = Math.round(count / (first.cpu.ours + first.cpu.postgres))
  const unchangedPerSecond = Math.round(count / second.seconds)
  return {
    figures: {
      contentsPerSecond,
      goalContentsPerSecond: goal.contentsPerSecond,
      unchangedPerSecond,
      contents: count,
      importSeconds: round(first.seconds, 1),
      ourCpuSeconds: round(first.cpu.ours, 1),
      postgresCpuSeconds: round(first.cpu.postgres, 1),
      contentsPerCpuSecond,
      rssMb: Math.round(process.memoryUsage.rss() / 1e6),
    },
    table: {
      head: ['', 'contents', 'seconds', 'a second'],
      rows: [
        ['import', count, round(first.seconds, 1), contentsPerSecond],
        ['again, unchanged', count, round(second.seconds, 1), unchangedPerSecond],
      ],
    },
    notes: [
      `${contentsPerSecond} contents a second, goal at least ${goal.contentsPerSecond}: ${contentsPerSecond >= goal.contentsPerSecond ? 'met' : 'MISSED'}`,
      `${contentsPerCpuSecond} for each second of a core, HMA's Postgres, ours and the command together (${round(first.cpu.postgres, 1)} s Postgres, ${round(first.cpu.ours, 1)} s the command)`,
      'HMA and ours are on one Postgres that does not wait for the disk; 1.1 signals a content.',
    ],
  }
}
