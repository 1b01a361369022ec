// The machine: Node, the decoder and its walls, disk, clock, file modes.
import { stat } from 'node:fs/promises'
import { settings } from '../../config-settings.ts'
import { freeBytes } from '../../service-health.ts'
import { Decoder, decoderDefaults } from '../../signals/decoder.ts'
import { checkSandbox } from '../../signals/sandbox-check.ts'
import { openSandbox } from '../../signals/sandbox.ts'
import { dataKeyFile } from '../data-key.ts'
import type { Check, DoctorContext, Finding } from './check.ts'
import { fail, note, ok, skip, unchecked, warn } from './check.ts'
import { ask } from './ask-host.ts'

const nodeMajor = 24
/** Between two clocks. */
const clockLimits = { warnMs: 5_000, failMs: 60_000 } as const

export const machineChecks: Check[] = [
  { id: 'node-version', group: 'machine', run: () => Promise.resolve(nodeVersion()) },
  { id: 'decoder', group: 'machine', run: decoderWorks },
  { id: 'sandbox', group: 'machine', run: sandboxHolds },
  { id: 'disk', group: 'machine', run: diskFree },
  { id: 'clock', group: 'machine', online: true, run: clockRight },
  { id: 'secret-files', group: 'machine', run: secretFiles },
]

function nodeVersion(): Finding {
  const [major = 0] = process.versions.node.split('.').map(Number)
  const line = `Node ${process.versions.node} on ${process.platform} ${process.arch}`
  return major >= nodeMajor ? ok(line) : fail(`${line}; ${nodeMajor} is needed`, 'npm install')
}

/** 20 by 20 grey pixels, made for this: no two frequencies are equal, so that rounding decides nothing. */
const testPicture = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAABQAAAAUCAAAAACo4kLRAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAA2ElEQVQY0x2QQQHAMAgDIwUpSImUSEEKUpCy6z6jayFcIilzcrKijn0+HbU9pW25c9TWZSZ16+nJusxXvqnp3i15efYywuHmOCoR071jVXMzmkXDNcsyqXm+7ruauI8+W/xbM96qhJv066xIW4hFVazrvCbwi4ntwAvKSTCc46qZbfwUMGiil515XGz+0XjaYwkWM8FFYZnKggeFlVrwC28w9BIKcXC5ZZjIAh2nkHbohETZR09Gy9693HO0JOLMv5T0kMEANJTVn2ARqIAn/RfYEKxiAqubD+HSsaFvivkkAAAAAElFTkSuQmCC',
  'base64',
)
const testPdq = '7f6f3a0ccea8070c1f0e3021eb26b5fba6829301fa90b0349dea9bcc9b3fa762'

async function decoderWorks({ signal }: DoctorContext): Promise<Finding> {
  await using decoder = await Decoder.start({ slots: 1, warn: () => undefined })
  const outcome = await decoder.decode(testPicture, signal)
  if (outcome.kind === 'failed')
    return fail(`the built-in picture was not decoded: ${outcome.reason}`)
  return outcome.pdq.hash === testPdq
    ? ok('the built-in picture decodes to the PDQ hash it must have')
    : fail('the built-in picture decodes to another PDQ hash than it must have')
}

async function sandboxHolds(): Promise<Finding> {
  const options = {
    memoryBytes: decoderDefaults.memoryBytes,
    processorSeconds: decoderDefaults.processorSeconds,
  }
  const sandbox = await openSandbox({
    ...options,
    nodePath: process.execPath,
    warn: () => undefined,
  })
  const findings = await checkSandbox(sandbox, process.execPath)
  const open = findings.filter((one) => one.stoppedBy === 'nothing').map((one) => one.attempt)
  const byNode = findings.filter((one) => one.stoppedBy === 'node').map((one) => one.attempt)
  const { limits, network, user } = sandbox.walls
  const walls = `limits ${limits}, network ${network}, user ${user}`
  if (open.length > 0) {
    return fail(
      `a decoder child can still: ${open.join(', ')} (${walls})`,
      'install util-linux; let the service use user namespaces, or run it as root in its container',
    )
  }
  if (byNode.includes('connect') || limits === 'missing') {
    return warn(
      `only Node's own wall stops: ${byNode.join(', ')} (${walls})`,
      'install util-linux (prlimit, unshare, setpriv)',
    )
  }
  return ok(`decoder children are walled in (${walls})`)
}

async function diskFree({ config }: DoctorContext): Promise<Finding> {
  const free = await freeBytes(config.dataDir)
  if (free === undefined) return note('the data folder is made at the first start')
  const megabytes = Math.floor(free / 1024 / 1024)
  const least = config.diskFreeBytesMin / 1024 / 1024
  const line = `${megabytes} MB free where the data lies`
  if (free < config.diskFreeBytesMin)
    return fail(
      `${line}: intake stops below ${least} MB`,
      'make room, or lower BLOBWATCH_DISK_FREE_MB_MIN',
    )
  return free < 3 * config.diskFreeBytesMin
    ? warn(`${line}; intake stops below ${least} MB`)
    : ok(line)
}

async function clockRight({ config, signal }: DoctorContext): Promise<Finding> {
  for (const url of [config.pds?.address, config.plcUrl]) {
    if (url === undefined) continue
    const answer = await ask(new URL('/xrpc/_health', url), signal)
    const date = answer.kind === 'answered' ? Date.parse(answer.date ?? '') : Number.NaN
    if (Number.isNaN(date)) continue
    // The header has whole seconds: half a second is its own error.
    const offMs = Math.abs(Date.now() - date - 500)
    const line = `the clock is ${Math.round(offMs / 1000)} s away from that of ${new URL(url).host}`
    return judgeClocks(offMs, line)
  }
  return unchecked('no host told its time')
}

/** `line` says how far they are apart. */
export function judgeClocks(offMs: number, line: string): Finding {
  const fix = 'timedatectl set-ntp true'
  if (offMs > clockLimits.failMs) return fail(line, fix)
  return offMs > clockLimits.warnMs ? warn(line, fix) : ok(line)
}

async function secretFiles({ config, env }: DoctorContext): Promise<Finding> {
  const named = Object.entries(settings)
    .filter(([, setting]) => 'secret' in setting)
    .flatMap(([name]) => env[`${name}_FILE`] ?? [])
  const files = [...named, dataKeyFile(config)]
  const open: string[] = []
  let found = 0
  for (const file of files) {
    const info = await stat(file).catch(() => undefined)
    if (info === undefined) continue
    found += 1
    if ((info.mode & 0o077) !== 0) open.push(file)
  }
  if (open.length > 0)
    return fail(`readable by others: ${open.join(', ')}`, `chmod 600 ${open.join(' ')}`)
  return found === 0
    ? skip('no secret is in a file')
    : ok(`${found} secret files, closed to others`)
}
