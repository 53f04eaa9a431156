/** What the library of ES2023 leaves to the DOM's: WebAssembly, as far as guest memory and its hash need it. */

/** A shared WebAssembly.Memory. */
export interface SharedMemory {
  readonly buffer: SharedArrayBuffer;
}

declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => SharedMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, SharedMemory>>>>,
  ) => { readonly exports: unknown };
};

const WASM_PAGE_SIZE = 65_536;

/** Zeroed memory of at least `bytes` bytes; at most 4 GiB. */
export function createSharedMemory(bytes: number): SharedMemory {
  const size = Math.ceil(bytes / WASM_PAGE_SIZE);
  return new WebAssembly.Memory({ initial: size, maximum: size, shared: true });
}

/** Compiles a module. */
export function compile(bytes: Uint8Array): object {
  return new WebAssembly.Module(bytes);
}

/** An instance of a module that imports one memory, as "page" "memory". @returns its exports */
export function instantiate<Exports>(module: object, memory: SharedMemory): Exports {
  return new WebAssembly.Instance(module, { page: { memory } }).exports as Exports;
}
