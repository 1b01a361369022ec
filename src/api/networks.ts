// Networks in CIDR notation, as a key or a listener is bound to them.
import { BlockList, isIP } from 'node:net'
import { UsageError } from '../domain/errors.ts'

export type Networks = { has(address: string): boolean }

/** Each `10.0.0.0/8`, `fd00::/8` or a single address. Throws UsageError that names what is none. */
export function parseNetworks(texts: readonly string[]): Networks {
  const list = new BlockList()
  for (const text of texts) {
    const [address = '', prefix, ...rest] = text.split('/')
    const version = isIP(address)
    const bits = version === 4 ? 32 : 128
    const length = prefix === undefined ? bits : /^\d{1,3}$/.test(prefix) ? Number(prefix) : NaN
    if (version === 0 || rest.length > 0 || !(length <= bits))
      throw new UsageError(`${text.slice(0, 60)} is no network: write 10.0.0.0/8 or fd00::/8`)
    list.addSubnet(address, length, version === 4 ? 'ipv4' : 'ipv6')
  }
  return {
    has(address) {
      const version = isIP(address)
      return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
    },
  }
}
