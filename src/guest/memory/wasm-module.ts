/**
 * Puts WebAssembly modules together, instruction by instruction: as much of the binary format as the page hash needs.
 * WebAssembly core specification 2.0, sections 5.2 (integers), 5.4 (instructions) and 5.5 (modules).
 */

/** Bytes of instructions or of a part of a module. */
export type Code = readonly number[];

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;

const FUNCTION_TYPE = 0x60;
const VOID = 0x40;
const SIMD = 0xfd;

export function unsigned(value: number): Code {
  const bytes: number[] = [];
  let v = value;
  for (; v > 0x7f; v >>>= 7) bytes.push((v & 0x7f) | 0x80);
  return [...bytes, v];
}

function signed(value: bigint): Code {
  const bytes: number[] = [];
  for (let v = value; ; v >>= 7n) {
    const low = Number(v & 0x7fn);
    const done = v >= -64n && v < 64n;
    bytes.push(done ? low : low | 0x80);
    if (done) return bytes;
  }
}

const simd = (opcode: number): Code => [SIMD, ...unsigned(opcode)];

export const END: Code = [0x0b];
export const LOOP: Code = [0x03, VOID];
/** Back to the begin of the innermost loop, if what is on the stack is not 0. */
export const AGAIN_IF: Code = [0x0d, 0];
export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const tee = (local: number): Code => [0x22, ...unsigned(local)];
export const getGlobal = (index: number): Code => [0x23, ...unsigned(index)];
export const setGlobal = (index: number): Code => [0x24, ...unsigned(index)];

export const i32 = (value: number): Code => [0x41, ...signed(BigInt(value | 0))];
export const I32_NE: Code = [0x47];
export const I32_ADD: Code = [0x6a];

export const i64 = (value: bigint): Code => [0x42, ...signed(BigInt.asIntN(64, value))];
export const I64_MUL: Code = [0x7e];
export const I64_XOR: Code = [0x85];
export const I64_SHR_U: Code = [0x88];
export const I64_ROTL: Code = [0x89];
export const I32_WRAP_I64: Code = [0xa7];

/** The 16 bytes at the address on the stack, plus `offset`; no alignment is claimed. */
export const loadV128 = (offset: number): Code => [...simd(0x00), 0, ...unsigned(offset)];
/** @param bytes 16 of them */
export const v128 = (bytes: Uint8Array): Code => [...simd(0x0c), ...bytes];
/** Byte i of the result is byte lanes[i] of the two vectors on the stack, of 32. */
export const shuffle = (lanes: readonly number[]): Code => [...simd(0x0d), ...lanes];
export const I32X4_SPLAT = simd(0x11);
export const I64X2_EXTRACT = (lane: number): Code => [...simd(0x1d), lane];
export const I32X4_ADD = simd(0xae);
export const I32X4_MUL = simd(0xb5);

export interface WasmFunction {
  readonly name: string;
  readonly parameters: Code;
  readonly results: Code;
  /** Types of the locals behind the parameters. */
  readonly locals: Code;
  readonly body: Code;
}

const text = (value: string): Code => [value.length, ...Buffer.from(value, 'latin1')];
const vector = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
const section = (id: number, body: Code): Code => [id, ...unsigned(body.length), ...body];
const sized = (body: Code): Code => [...unsigned(body.length), ...body];

const MEMORY = 0x02;
const FUNCTION = 0x00;
const SHARED_WITH_MAXIMUM = 0x03;
const MUTABLE = 0x01;
/** 4 GiB in pages of WebAssembly. */
const MEMORY_MAX = 65_536;

/**
 * A module that imports a shared memory of any size, has one global (an i32, 0 at first) and exports its functions.
 * @param memory the two names it is imported by
 */
export function wasmModule(
  memory: readonly [string, string],
  functions: readonly WasmFunction[],
): Uint8Array {
  const types = functions.map((f) => [
    FUNCTION_TYPE,
    ...vector(f.parameters.map((t) => [t])),
    ...vector(f.results.map((t) => [t])),
  ]);
  const code = functions.map((f) => sized([...vector(f.locals.map((t) => [1, t])), ...f.body, ...END]));
  const limits = [SHARED_WITH_MAXIMUM, 1, ...unsigned(MEMORY_MAX)];
  return Uint8Array.from([
    ...[0x00, ...Buffer.from('asm', 'latin1'), 1, 0, 0, 0],
    ...section(1, vector(types)),
    ...section(2, vector([[...memory.flatMap(text), MEMORY, ...limits]])),
    ...section(3, vector(functions.map((_, i) => [i]))),
    ...section(6, vector([[I32, MUTABLE, ...i32(0), ...END]])),
    ...section(7, vector(functions.map((f, i) => [...text(f.name), FUNCTION, i]))),
    ...section(10, vector(code)),
  ]);
}
