// The settings of the listener for HMA's clients.
import { isIP } from 'node:net'
import { parseNetworks } from './api/networks.ts'
import { UsageError } from './domain/errors.ts'

export const hmaRoles = ['hasher', 'matcher', 'curator'] as const
export type HmaRole = (typeof hmaRoles)[number]

export type HmaConfig = {
  /** undefined: HMA's paths are on the private listener only, with keys. */
  listener: { host: string; port: number } | { socket: string } | undefined
  networks: string[]
  mayWrite: boolean
  roles: HmaRole[]
}

type HmaSetting =
  | 'BLOBWATCH_HMA_PORT'
  | 'BLOBWATCH_HMA_HOST'
  | 'BLOBWATCH_HMA_SOCKET'
  | 'BLOBWATCH_HMA_NETWORKS'
  | 'BLOBWATCH_HMA_WRITE'
  | 'BLOBWATCH_HMA_ROLES'

type Read = {
  text(name: HmaSetting): string | undefined
  required(name: HmaSetting): string
  integer(name: HmaSetting, min: number, max: number): number
  oneOf<const T extends string>(name: HmaSetting, allowed: readonly T[]): T
}

const loopback = ['127.0.0.0/8', '::1']

export function readHma(read: Read, problems: string[]): HmaConfig {
  const port = read.text('BLOBWATCH_HMA_PORT')
  const socket = read.text('BLOBWATCH_HMA_SOCKET')
  const host = read.required('BLOBWATCH_HMA_HOST')
  const networks = list(read.text('BLOBWATCH_HMA_NETWORKS'))
  try {
    parseNetworks(networks)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    problems.push(`BLOBWATCH_HMA_NETWORKS: ${error.message}`)
  }
  if (port !== undefined && socket !== undefined)
    problems.push('BLOBWATCH_HMA_PORT and BLOBWATCH_HMA_SOCKET are both set: set one')
  if (port !== undefined && networks.length === 0 && !isLoopback(host))
    problems.push(
      `BLOBWATCH_HMA_HOST is ${host}: everybody who reaches it could ask without a key. Name who may in BLOBWATCH_HMA_NETWORKS`,
    )
  const roles = list(read.text('BLOBWATCH_HMA_ROLES'))
  for (const role of roles)
    if (!hmaRoles.some((known) => known === role))
      problems.push(`BLOBWATCH_HMA_ROLES knows ${hmaRoles.join(', ')}`)
  return {
    listener:
      socket !== undefined
        ? { socket }
        : port !== undefined
          ? { host, port: read.integer('BLOBWATCH_HMA_PORT', 0, 65_535) }
          : undefined,
    networks: networks.length > 0 ? networks : loopback,
    mayWrite: read.oneOf('BLOBWATCH_HMA_WRITE', ['off', 'on'] as const) === 'on',
    roles: hmaRoles.filter((role) => roles.includes(role)),
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (isIP(host) !== 0 && parseNetworks(loopback).has(host))
}

function list(text = ''): string[] {
  return text
    .split(',')
    .map((one) => one.trim())
    .filter(Boolean)
}
