/** The page hash as SPEC.md has it, plain and slow: an oracle that shares no line with the module under test. */

const U32 = 0xffffffffn;
const U64 = 0xffffffffffffffffn;
const P1 = 0x9e3779b1n;
const P2 = 0x85ebca77n;
const P3 = 0xc2b2ae3dn;
const Q1 = 0x9e3779b185ebca87n;
const Q2 = 0xc2b2ae3d27d4eb4fn;
const Q3 = 0x165667b19e3779f9n;

/** Four u32, the first one in the lowest bits: a number of 128 bits. */
function lanesOf(x: bigint): bigint[] {
  return [0n, 32n, 64n, 96n].map((by) => (x >> by) & U32);
}

function ofLanes(lanes: readonly bigint[]): bigint {
  return lanes.reduceRight((x, lane) => (x << 32n) | (lane & U32), 0n);
}

const plus = (a: bigint, b: bigint): bigint => {
  const bs = lanesOf(b);
  return ofLanes(lanesOf(a).map((lane, k) => lane + bs[k]!));
};
const times = (a: bigint, prime: bigint): bigint => ofLanes(lanesOf(a).map((lane) => lane * prime));
const rotatedBySixBytes = (a: bigint): bigint => (a >> 48n) | ((a & ((1n << 48n) - 1n)) << 80n);
const turned = (a: bigint): bigint => times(rotatedBySixBytes(a), P1);

export function referencePageHash(page: Uint8Array): bigint {
  const view = new DataView(page.buffer, page.byteOffset, 4096);
  const read = (turn: number, j: number): bigint => {
    if (j < 0 || j > 7) return 0n;
    const at = turn * 128 + j * 16;
    return ofLanes([0, 4, 8, 12].map((k) => BigInt(view.getUint32(at + k, true))));
  };
  const a = Array.from({ length: 9 }, (_, j) =>
    ofLanes([1n, 2n, 3n, 4n].map((k) => P3 * (4n * BigInt(j) + k))),
  );
  for (let turn = 0; turn < 32; turn++) {
    for (let j = 0; j <= 8; j++) {
      a[j] = turned(plus(plus(a[j]!, times(read(turn, j), P2)), read(turn, j - 1)));
    }
  }
  const fold = (to: number, from: number): void => {
    a[to] = turned(plus(a[to]!, times(a[from]!, P2)));
  };
  for (const [to, from] of [
    [0, 8],
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
    [0, 2],
    [1, 3],
    [0, 1],
  ] as const)
    fold(to, from);
  const [low, high] = [a[0]! & U64, a[0]! >> 64n];
  const product = (high * Q2) & U64;
  const rotated = ((product << 31n) | (product >> 33n)) & U64;
  let h = ((((rotated * Q1) & U64) ^ low) * Q1) & U64;
  h = ((h ^ (h >> 33n)) * Q2) & U64;
  h = ((h ^ (h >> 29n)) * Q3) & U64;
  return h ^ (h >> 32n);
}
