// What we use of autocannon, which has no types of its own.
declare module 'autocannon' {
  export type AutocannonRequest = {
    method?: string
    path?: string
    headers?: Record<string, string>
    body?: string
  }
  export type AutocannonResult = {
    latency: { p50: number; p97_5: number; p99: number; max: number }
    requests: { average: number; total: number }
    errors: number
    timeouts: number
    non2xx: number
    duration: number
  }
  export default function autocannon(options: {
    url: string
    connections: number
    duration: number
    pipelining?: number
    overallRate?: number
    headers?: Record<string, string>
    requests: (AutocannonRequest & {
      setupRequest?: (request: AutocannonRequest) => AutocannonRequest
    })[]
  }): Promise<AutocannonResult>
}
