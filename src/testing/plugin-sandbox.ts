// The walls that plug-ins of tests run behind: with room for V8, which reserves 512 MB that count.
import { openSandbox } from '../signals/sandbox.ts'
import type { Sandbox } from '../signals/sandbox.ts'

export function sandboxInTest(): Promise<Sandbox> {
  return openSandbox({
    memoryBytes: 1536 * 1024 * 1024,
    processorSeconds: 60,
    nodePath: process.execPath,
    warn: () => {},
  })
}
