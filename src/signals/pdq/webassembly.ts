// What the kernel needs of WebAssembly's JavaScript interface (W3C WebAssembly JavaScript Interface, section 5). Neither
// the `es2024` library nor @types/node declares it, and the browser's library would bring the whole browser.

type Memory = {
  /** Replaced whenever the memory grows. */
  readonly buffer: ArrayBuffer
  /** By so many pages of 64 KiB. Throws RangeError when there is no room. */
  grow(pages: number): number
}

type WebAssemblyInterface = {
  Memory: new (descriptor: { initial: number }) => Memory
  Module: new (bytes: Uint8Array) => object
  Instance: new (
    module: object,
    imports: { env: { memory: Memory } },
  ) => { readonly exports: Record<string, unknown> }
}

export type WasmMemory = Memory

/** Throws where the engine runs without WebAssembly (node --jitless). */
export function webAssembly(): WebAssemblyInterface {
  const found: unknown = Reflect.get(globalThis, 'WebAssembly')
  if (found === undefined) throw new Error('there is no WebAssembly')
  return found as WebAssemblyInterface
}
