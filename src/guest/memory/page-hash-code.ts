/**
 * The hash of a page as WebAssembly that works on guest memory where it lies: nothing is copied, and a call takes
 * and gives small integers only. xxHash64, seed 0 (Collet, "xxHash fast digest algorithm", version 0.1.1), for an
 * input of 4096 bytes: a whole number of stripes, so what the algorithm does with a remainder is left out.
 *
 *   (import "page" "memory") (global $high (mut i32))
 *   (func (export "hash") (param $at i32) (result i32))     low half; the high one stays in $high
 *   (func (export "high") (result i32))
 *
 *   four lanes of 64 bits:  v = rotl(v + read · P2, 31) · P1     32 bytes a turn
 *
 * The module is put together here, instruction by instruction, since it is shorter than a compiler for it. WebAssembly
 * core specification, sections 5.4 and 5.5.
 */
import { PAGE_SIZE } from '../../core/index.js';

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;

const STRIPE_BYTES = 32;

const I32 = 0x7f;
const I64 = 0x7e;
const VOID = 0x40;
const LOOP = 0x03;
const END = 0x0b;
const BR_IF = 0x0d;
const LOCAL_GET = 0x20;
const LOCAL_SET = 0x21;
const LOCAL_TEE = 0x22;
const GLOBAL_GET = 0x23;
const GLOBAL_SET = 0x24;
const I64_LOAD = 0x29;
const I32_CONST = 0x41;
const I64_CONST = 0x42;
const I32_NE = 0x47;
const I32_ADD = 0x6a;
const I64_ADD = 0x7c;
const I64_MUL = 0x7e;
const I64_XOR = 0x85;
const I64_SHR_U = 0x88;
const I64_ROTL = 0x89;
const I32_WRAP_I64 = 0xa7;

/** Locals of `hash`: its parameter, where it ends, the four lanes, and the hash in the making. */
const AT = 0;
const STOP = 1;
const LANES = [2, 3, 4, 5] as const;
const HASH = 6;

const HIGH = 0;

type Code = readonly number[];

function unsigned(value: number): Code {
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

const i32 = (value: number): Code => [I32_CONST, ...signed(BigInt(value))];
const i64 = (value: bigint): Code => [I64_CONST, ...signed(BigInt.asIntN(64, value))];
const get = (local: number): Code => [LOCAL_GET, local];
const set = (local: number): Code => [LOCAL_SET, local];
const times = (prime: bigint): Code => [...i64(prime), I64_MUL];
const rotated = (bits: number): Code => [...i64(BigInt(bits)), I64_ROTL];
/** The eight bytes at `AT + offset`. */
const read = (offset: number): Code => [...get(AT), I64_LOAD, 0, ...unsigned(offset)];
/** `HASH ^= HASH >> bits`, left on the stack. */
const folded = (bits: number): Code => [...get(HASH), ...get(HASH), ...i64(BigInt(bits)), I64_SHR_U, I64_XOR];

function hashBody(): Code {
  const firsts = [P1 + P2, P2, 0n, -P1];
  const stripe = LANES.flatMap((lane, i) => [
    ...get(lane),
    ...read(8 * i),
    ...times(P2),
    I64_ADD,
    ...rotated(31),
    ...times(P1),
    ...set(lane),
  ]);
  const merge = LANES.flatMap((lane) => [
    ...get(HASH),
    ...get(lane),
    ...times(P2),
    ...rotated(31),
    ...times(P1),
    I64_XOR,
    ...times(P1),
    ...i64(P4),
    I64_ADD,
    ...set(HASH),
  ]);
  const rotations = [1, 7, 12, 18];
  return [
    ...[...get(AT), ...i32(PAGE_SIZE), I32_ADD, ...set(STOP)],
    ...LANES.flatMap((lane, i) => [...i64(firsts[i]!), ...set(lane)]),
    ...[LOOP, VOID],
    ...stripe,
    ...[...get(AT), ...i32(STRIPE_BYTES), I32_ADD, LOCAL_TEE, AT, ...get(STOP), I32_NE, BR_IF, 0, END],
    ...i64(0n),
    ...LANES.flatMap((lane, i) => [...get(lane), ...rotated(rotations[i]!), I64_ADD]),
    ...set(HASH),
    ...merge,
    ...[...get(HASH), ...i64(BigInt(PAGE_SIZE)), I64_ADD, ...set(HASH)],
    ...[...folded(33), ...times(P2), ...set(HASH)],
    ...[...folded(29), ...times(P3), ...set(HASH)],
    ...[...folded(32), LOCAL_TEE, HASH, ...i64(32n), I64_SHR_U, I32_WRAP_I64, GLOBAL_SET, HIGH],
    ...[...get(HASH), I32_WRAP_I64, END],
  ];
}

function text(value: string): Code {
  return [value.length, ...Buffer.from(value, 'latin1')];
}

function vector(...items: Code[]): Code {
  return [...unsigned(items.length), ...items.flat()];
}

function section(id: number, body: Code): Code {
  return [id, ...unsigned(body.length), ...body];
}

/** @param locals counts and types */
function code(body: Code, ...locals: Code[]): Code {
  const all = [...vector(...locals), ...body];
  return [...unsigned(all.length), ...all];
}

const FUNCTION_TYPE = 0x60;
const SHARED_WITH_MAXIMUM = 0x03;
const MEMORY = 0x02;
const FUNCTION = 0x00;
const MUTABLE = 0x01;
/** 4 GiB in pages of WebAssembly. */
const MEMORY_MAX = 65_536;

/** The module's bytes. */
export function pageHashCode(): Uint8Array {
  return Uint8Array.from([
    ...[0x00, ...Buffer.from('asm', 'latin1'), 1, 0, 0, 0],
    ...section(1, vector([FUNCTION_TYPE, 1, I32, 1, I32], [FUNCTION_TYPE, 0, 1, I32])),
    ...section(
      2,
      vector([...text('page'), ...text('memory'), MEMORY, SHARED_WITH_MAXIMUM, 1, ...unsigned(MEMORY_MAX)]),
    ),
    ...section(3, vector([0], [1])),
    ...section(6, vector([I32, MUTABLE, ...i32(0), END])),
    ...section(7, vector([...text('hash'), FUNCTION, 0], [...text('high'), FUNCTION, 1])),
    ...section(10, vector(code(hashBody(), [1, I32], [5, I64]), code([GLOBAL_GET, HIGH, END]))),
  ]);
}
