// The few parts of `ws` 8 that the fake relay uses. To be deleted when @types/ws is a devDependency.
declare module 'ws' {
  import type { EventEmitter } from 'node:events'
  import type { IncomingMessage, Server } from 'node:http'

  export class WebSocket extends EventEmitter {
    readonly bufferedAmount: number
    readonly readyState: number
    send(data: Uint8Array | string): void
    pong(data?: Uint8Array): void
    close(code?: number, reason?: string): void
    terminate(): void
  }

  export class WebSocketServer extends EventEmitter {
    constructor(options: {
      server: Server
      autoPong?: boolean
      verifyClient?: (
        info: { req: IncomingMessage },
        done: (accepted: boolean, code?: number, message?: string) => void,
      ) => void
    })
    readonly clients: Set<WebSocket>
    on(event: 'connection', listener: (socket: WebSocket, request: IncomingMessage) => void): this
    close(): void
  }
}
