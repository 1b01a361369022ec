// Where a database is and as whom to enter it. Passwords live only in the URL form and are never logged.
import { UsageError } from '../domain/errors.ts'

export type SocketAddress = {
  /** A folder that holds the socket, or a host name. */
  host: string
  port: number
  database: string
  username: string
}

export type DatabaseAddress = SocketAddress | { url: string }

/** The socket's file name inside its folder: Postgres derives it from the port. */
export const SOCKET_PORT = 5432

/** Reads DATABASE_URL, including libpq's `?host=/folder` form, which `postgres` would send on as a setting. */
export function parseAddress(url: string): DatabaseAddress {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url.replace('///', '//localhost/')))
    throw new UsageError('the database address must look like postgres://user:password@host/name')
  const parsed = new URL(url.replace('///', '//localhost/'))
  const folder = parsed.searchParams.get('host')
  if (folder === null) return { url }
  return {
    host: folder,
    port: Number(parsed.searchParams.get('port') ?? (parsed.port || SOCKET_PORT)),
    database: parsed.pathname.slice(1),
    username: parsed.searchParams.get('user') ?? decodeURIComponent(parsed.username),
  }
}

/** For people and for psql: an address without its password. */
export function describeAddress(address: DatabaseAddress): string {
  if (!('url' in address)) {
    const { host, database, username } = address
    return `postgresql:///${database}?host=${encodeURIComponent(host)}&user=${username}`
  }
  const parsed = new URL(address.url)
  parsed.password = ''
  parsed.search = ''
  return parsed.href
}
