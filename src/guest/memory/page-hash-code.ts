/**
 * The hash of a page (SPEC.md, "The page hash") as WebAssembly that works on guest memory where it lies: nothing is
 * copied, and a call takes and gives small integers only.
 *
 *   (func (export "hash") (param $at i32) (result i32))     low half; the high one stays in a global
 *   (func (export "high") (result i32))
 *
 *   turn of 128 bytes     R0 ─┬─► A0     R1 ─┬─► A1  …  R7 ─┬─► A7       each read of 16 bytes goes into two of the nine
 *                             └─────────► A1 └─► A2         └─► A8       accumulators, of four 32-bit lanes each
 *
 *   A = P1 · rotated(A + P2 · R + the read before)                       two multiplications per 16 bytes
 *
 * The lanes are narrow because vector units multiply 32 bits in one instruction and 64 bits in eight. What narrow lanes
 * lack is made up for: bytes rotate across the whole accumulator, so that one is 128 bits of state and not four of 32;
 * and since a read counts in two accumulators, while there is one more of them than reads, two places of a page that
 * differ do not cancel each other out as they can where each read is taken in once (a flipped highest bit stays one
 * bit under any multiplication).
 *
 * The module is put together here, instruction by instruction, since it is shorter than a compiler for it.
 */
import { PAGE_SIZE } from '../../core/index.js';
import * as w from './wasm-module.js';

/** Primes that xxHash has found to mix well (Collet, "xxHash fast digest algorithm", version 0.1.1). */
const P1 = 0x9e3779b1;
const P2 = 0x85ebca77;
const P3 = 0xc2b2ae3d;
const Q1 = 0x9e3779b185ebca87n;
const Q2 = 0xc2b2ae3d27d4eb4fn;
const Q3 = 0x165667b19e3779f9n;

const READS = 8;
const READ_BYTES = 16;
/** 6 of 16 bytes: the upper half of each lane comes to stand where it is multiplied into all of another. */
const ROTATION = Array.from({ length: READ_BYTES }, (_, k) => (k + 6) % READ_BYTES);

/** Locals of `hash`: its parameter, where it ends, the hash in the making, P1, P2, the last read, accumulators. */
const AT = 0;
const STOP = 1;
const HASH = 2;
const BY_P1 = 3;
const BY_P2 = 4;
const READ = 5;
const ACCUMULATORS = Array.from({ length: READS + 1 }, (_, j) => READ + 1 + j);

const HIGH = 0;

function initial(j: number): w.Code {
  const lanes = Uint32Array.from({ length: 4 }, (_, k) => Math.imul(P3, 4 * j + k + 1));
  return w.v128(new Uint8Array(lanes.buffer));
}

/** `a = P1 · rotated(a)` */
const turned = (a: number): w.Code => [
  ...[...w.get(a), ...w.get(a), ...w.shuffle(ROTATION)],
  ...[...w.get(BY_P1), ...w.I32X4_MUL, ...w.set(a)],
];

/** `a = a + what the code leaves on the stack` */
const plus = (a: number, code: w.Code): w.Code => [...w.get(a), ...code, ...w.I32X4_ADD, ...w.set(a)];

const timesP2: w.Code = [...w.get(BY_P2), ...w.I32X4_MUL];

/** Takes in 16 bytes of the page, and those before them once more. */
function takeIn(a: number, j: number): w.Code {
  const before = j > 0 ? plus(a, w.get(READ)) : [];
  const read = [...w.get(AT), ...w.loadV128(READ_BYTES * j), ...w.tee(READ), ...timesP2];
  return [...before, ...(j < READS ? plus(a, read) : []), ...turned(a)];
}

/** Accumulator `to` takes in accumulator `from`. */
const fold = (to: number, from: number): w.Code => [
  ...plus(ACCUMULATORS[to]!, [...w.get(ACCUMULATORS[from]!), ...timesP2]),
  ...turned(ACCUMULATORS[to]!),
];

const times = (prime: bigint): w.Code => [...w.i64(prime), ...w.I64_MUL];
/** `HASH ^= HASH >> bits`, left on the stack. */
const shifted = (bits: bigint): w.Code => [
  ...[...w.get(HASH), ...w.get(HASH), ...w.i64(bits)],
  ...[...w.I64_SHR_U, ...w.I64_XOR],
];

function hashBody(): w.Code {
  const half = (lane: number): w.Code => [...w.get(ACCUMULATORS[0]!), ...w.I64X2_EXTRACT(lane)];
  return [
    ...[...w.get(AT), ...w.i32(PAGE_SIZE), ...w.I32_ADD, ...w.set(STOP)],
    ...[...w.i32(P1), ...w.I32X4_SPLAT, ...w.set(BY_P1)],
    ...[...w.i32(P2), ...w.I32X4_SPLAT, ...w.set(BY_P2)],
    ...ACCUMULATORS.flatMap((a, j) => [...initial(j), ...w.set(a)]),
    ...w.LOOP,
    ...ACCUMULATORS.flatMap(takeIn),
    ...[...w.get(AT), ...w.i32(READS * READ_BYTES), ...w.I32_ADD, ...w.tee(AT)],
    ...[...w.get(STOP), ...w.I32_NE, ...w.AGAIN_IF, ...w.END],
    ...fold(0, 8),
    ...[0, 1, 2, 3].flatMap((i) => fold(i, i + 4)),
    ...[0, 1].flatMap((i) => fold(i, i + 2)),
    ...fold(0, 1),
    ...[...half(1), ...times(Q2), ...w.i64(31n), ...w.I64_ROTL, ...times(Q1)],
    ...[...half(0), ...w.I64_XOR, ...times(Q1), ...w.set(HASH)],
    ...[...shifted(33n), ...times(Q2), ...w.set(HASH)],
    ...[...shifted(29n), ...times(Q3), ...w.set(HASH)],
    ...[...shifted(32n), ...w.tee(HASH), ...w.i64(32n), ...w.I64_SHR_U],
    ...[...w.I32_WRAP_I64, ...w.setGlobal(HIGH), ...w.get(HASH), ...w.I32_WRAP_I64],
  ];
}

/** The module's bytes; it imports "page" "memory". */
export function pageHashCode(): Uint8Array {
  return w.wasmModule(
    ['page', 'memory'],
    [
      {
        name: 'hash',
        parameters: [w.I32],
        results: [w.I32],
        locals: [w.I32, w.I64, w.V128, w.V128, w.V128, ...ACCUMULATORS.map(() => w.V128)],
        body: hashBody(),
      },
      { name: 'high', parameters: [], results: [w.I32], locals: [], body: w.getGlobal(HIGH) },
    ],
  );
}
