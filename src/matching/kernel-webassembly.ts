// What we use of WebAssembly's JavaScript interface. Neither the `es2024` library nor @types/node declares it, and the
// `dom` library would bring a browser's worth of globals with it. Source: webassembly.github.io/spec/js-api.

export type SharedMemory = {
  /** Longer after a `grow`; views made before go on seeing the same bytes. */
  readonly buffer: SharedArrayBuffer
  /** Returns the pages there were. Throws RangeError past the maximum. */
  grow(pages: number): number
}

/** Can be posted to other threads; they share its machine code. */
export type KernelModule = { readonly kind?: 'module' }

type WebAssemblyInterface = {
  Memory: new (limits: { initial: number; maximum: number; shared: true }) => SharedMemory
  Module: new (bytes: Uint8Array) => KernelModule
  Instance: new (
    module: KernelModule,
    imports: { env: { memory: SharedMemory } },
  ) => { readonly exports: unknown }
}

export const webAssembly = Reflect.get(globalThis, 'WebAssembly') as WebAssemblyInterface
