// Who may ask without a key.
import { note, ok, warn } from './check.ts'
import type { Check, DoctorContext, Finding } from './check.ts'

export const hmaChecks: Check[] = [
  { id: 'hma', group: 'safety', run: (context) => Promise.resolve(whoMayAsk(context)) },
]

/** A network of more addresses than this is more than one site's. */
const wide = { ipv4Bits: 8, ipv6Bits: 32 } as const

function whoMayAsk({ config }: Pick<DoctorContext, 'config'>): Finding {
  const { listener, networks, mayWrite } = config.hma
  if (listener === undefined) return ok("HMA's clients need a key")
  const what = mayWrite ? 'look up and change banks' : 'look up'
  if ('socket' in listener) {
    const line = `without a key, owner and group of the socket may ${what}`
    return mayWrite ? note(line) : ok(line)
  }
  const line = `without a key, ${networks.join(', ')} may ${what}`
  if (networks.some(isWide))
    return warn(
      `${line}: that is much of the internet`,
      'name smaller ones in BLOBWATCH_HMA_NETWORKS',
    )
  return mayWrite ? note(line, 'BLOBWATCH_HMA_WRITE=off lets them look up only') : ok(line)
}

function isWide(network: string): boolean {
  const [address = '', prefix] = network.split('/')
  // Loopback is one machine, however wide it is written.
  if (prefix === undefined || network === '127.0.0.0/8') return false
  return Number(prefix) < (address.includes(':') ? wide.ipv6Bits : wide.ipv4Bits)
}
